"""Which files are looked at, and those that can't be read."""

import os
from pathlib import Path
from typing import Any

import pytest

from aftercommit.adopt import source
from aftercommit.adopt.files import is_installed, module_names, project_files, project_folders
from aftercommit.adopt.report import look
from tests.unit.aftercommit.adopt.conftest import Project

CODE = "from celery import shared_task\n@shared_task\ndef work():\n    open('a', 'w')\n"


class TestFolders:
    """The folders that are the project's."""

    def test_base_dir(self, settings: Any) -> None:
        """BASE_DIR is; an app that is installed isn't."""
        assert project_folders()[0] == Path(settings.BASE_DIR)
        assert not any(is_installed(folder) for folder in project_folders())

    @pytest.mark.parametrize("base", [None, "/", Path.home(), 3])
    def test_no_base_dir(self, settings: Any, base: Any) -> None:
        """Without a BASE_DIR that is a project's, the apps' folders are still looked at."""
        own = Path(settings.BASE_DIR)
        settings.BASE_DIR = base
        assert own / "content" in project_folders()
        assert Path("/") not in project_folders()

    @pytest.mark.parametrize("has_manage", [True, False])
    def test_home(
        self, settings: Any, tmp_path: Path, has_manage: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A home is looked at if it is the project, as in many containers."""
        monkeypatch.setenv("HOME", str(tmp_path))
        settings.BASE_DIR = tmp_path
        if has_manage:
            (tmp_path / "manage.py").write_text("")
        assert (tmp_path in project_folders()) is has_manage

    def test_no_home(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """A user of a container need not have a home."""

        def fail(kind: type[Path]) -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", classmethod(fail))
        assert Path(settings.BASE_DIR) in project_folders()


class TestFiles:
    """The files below the folders."""

    def test_skipped(self, project: Project) -> None:
        """Migrations, tests, environments, hidden folders and what isn't Python are skipped."""
        wanted = project.write("shop/tasks.py", CODE)
        for name in (
            "shop/migrations/0001.py", "shop/tests/test_a.py", "shop/tests.py", "shop/test_a.py",
            "conftest.py", ".hidden/a.py", "node_modules/a.py", "lib/site-packages/a.py",
            "env/a.py", "env/pyvenv.cfg", "a.txt", "shop/.#tasks.py",
        ):  # fmt: skip
            project.write(name, CODE)
        assert list(project_files([project.folder], {})) == [wanted]

    def test_given(self, project: Project) -> None:
        """A file that is named is looked at, whatever its name."""
        named = project.write("shop/tests.py", CODE)
        assert list(project_files([named], {})) == [named]

    def test_links(self, project: Project) -> None:
        """Links in a circle end, links to nowhere are skipped, and no file is read twice."""
        wanted = project.write("shop/tasks.py", CODE)
        (project.folder / "shop/loop").symlink_to(project.folder)
        (project.folder / "shop/again.py").symlink_to(wanted)
        (project.folder / "shop/nowhere.py").symlink_to(project.folder / "no")
        (project.folder / "shop/self.py").symlink_to(project.folder / "shop/self.py")
        assert list(project_files([project.folder], {})) == [wanted]

    def test_pipe(self, project: Project) -> None:
        """A pipe is no file: to read it would wait for ever."""
        os.mkfifo(project.folder / "pipe.py")
        assert list(project_files([project.folder], {})) == []

    def test_module_names(self, project: Project) -> None:
        """A file has a name for each folder of Python's above it, and for none of a package."""
        path = project.write("shop/__init__.py", "")
        assert module_names(path) == ("shop",)
        assert module_names(project.write("shop/a/b.py", ""))[0] == "shop.a.b"


class TestUnreadable:
    """Files that are no Python."""

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"def (", "SyntaxError"),
            (b"a = '\xff'", "invalid or missing encoding"),
            (b"# coding: nothing\n", "unknown encoding"),
            (b"a = 1\x00", "null bytes"),
            (b"x = " + b"(" * 5000 + b")" * 5000, "Error"),
            (b"{% if a %}", "SyntaxError"),
        ],
    )
    def test_named(self, project: Project, data: bytes, reason: str) -> None:
        """Each is named with the reason, and the others are looked at."""
        project.write("shop/tasks.py", CODE)
        (project.folder / "shop/bad.py").write_bytes(data)
        report = look([project.folder])
        ((path, why),) = report.unreadable.items()
        assert (path.name, reason in why) == ("bad.py", True), why
        assert len(report.findings) == 1

    def test_no_permission(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that this user can't read is named."""
        project.write("shop/tasks.py", CODE)

        def refuse(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
        assert "Permission denied" in str(look([project.folder]).unreadable)

    def test_folder(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that this user can't read is named, and the others are looked at."""
        project.write("shop/tasks.py", CODE)
        closed = project.write("closed/tasks.py", CODE).parent
        scandir = os.scandir

        def refuse(path: Any) -> Any:
            if Path(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
        report = look([project.folder])
        assert report.unreadable == {closed: "Permission denied"}
        assert len(report.findings) == 1

    def test_large(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that is larger than people write is named."""
        monkeypatch.setattr(source, "LARGEST", 10)
        project.write("shop/tasks.py", CODE)
        assert "more than 10 bytes" in str(look([project.folder]).unreadable)

    @pytest.mark.parametrize(
        "code",
        [
            "x = " + " + ".join(["1"] * 2000) + "\n",
            "x = q" + ".filter(a=1)" * 300 + "\n",
            "x = '\\d'\n",
            "lambda: (yield)\n",
            "def f(f: f = f, *f1, **f2) -> f: f = f(f); f.f.delay()\n",
            "self.delay()\n.5.real\n",
            "class C(C, C()): save = delete = lambda self: self.delay()\n",
            "from . import *\nfrom .... import a\nfrom .......b import *\na.b.delay()\n",
            "x: int\nfor x.y in z: x[0]().delay\n",
            "async def f():\n    async with a() as b.c: await b.delay()\n",
            "match a:\n    case {'b': c, **d}: c.delay()\n",
            "",
            "\ufeffa = 1\n",
            "a = 1\r\nb.delay()\r\n\x0c\nc.delay()\n",
        ],
    )
    def test_odd_code(self, project: Project, code: str) -> None:
        """Code that is odd and right is read."""
        project.write("shop/__init__.py", "")
        project.write("shop/a.py", code)
        assert look([project.folder]).unreadable == {}
