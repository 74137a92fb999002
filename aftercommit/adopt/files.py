"""The files that are the project's own."""

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

from django.apps import apps
from django.conf import settings

SKIPPED_FOLDERS = frozenset(
    ("__pycache__", "build", "dist", "dist-packages", "migrations", "node_modules", "site-packages",
     "test", "testing", "tests", "venv", "virtualenv")
)  # fmt: skip
"""The names of folders that hold no code that runs in a request or a worker of the project."""

TEST_FILES = ("test_*.py", "*_test.py", "tests.py", "conftest.py")


def project_files(given: Sequence[Path], refused: dict[Path, str]) -> Iterator[Path]:
    """Yield each Python file of the project, or of the files and folders that are given.

    Folders that can't be read are added to ``refused``, with the reasons.
    """
    seen: set[Path] = set()
    for root in given or project_folders():
        for path in [root] if root.is_file() else _files_below(root, refused):
            resolved = path.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield resolved


def project_folders() -> list[Path]:
    """Return the folder of the project, and those of its apps that are elsewhere.

    An app that is installed (in ``site-packages``, or beside Python's own modules) is not the
    project's.
    """
    own = [Path(each.path).resolve() for each in apps.get_app_configs()]
    base = _base_folder()
    own = [folder for folder in own if not is_installed(folder)]
    return [base, *own] if base else own


def is_installed(path: Path) -> bool:
    """Return whether the path belongs to an installed package, or to Python."""
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in (_library(), *_python_folders()))


def module_names(path: Path) -> tuple[str, ...]:
    """Return the names under which the file can be imported, the shortest first."""
    roots = {Path(entry or ".").resolve() for entry in sys.path}
    roots = {root for root in roots if path.is_relative_to(root)} or {_package_root(path)}
    return tuple(sorted((_dotted(path.relative_to(root)) for root in roots), key=len))


def _base_folder() -> Path | None:
    """Return BASE_DIR, or the folder from which the settings are imported.

    The root of a disk is no project's, and a home is one's only if it has a manage.py. There the
    folders of the apps have to do.
    """
    base = getattr(settings, "BASE_DIR", None) or _settings_folder()
    if not isinstance(base, str | os.PathLike):
        return None
    folder = Path(os.fspath(base)).resolve()
    is_root = folder == Path(folder.anchor)
    return (
        None if is_root or (_is_home(folder) and not Path(folder, "manage.py").exists()) else folder
    )


def _is_home(folder: Path) -> bool:
    try:
        return folder == Path.home().resolve()
    except RuntimeError:  # a container's user need not have a home
        return False


def _settings_folder() -> Path | None:
    name = getattr(settings, "SETTINGS_MODULE", None)
    file = name and import_module(name).__file__  # Django has loaded it
    return _package_root(Path(file)) if file else None


def _files_below(root: Path, refused: dict[Path, str]) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        refused[Path(error.filename or root)] = f"{error.strerror}"

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = sorted(name for name in folders if _is_looked_into(Path(folder, name)))
        for name in sorted(names):
            path = Path(folder, name)
            if _is_code(path):
                yield path


def _is_looked_into(folder: Path) -> bool:
    if folder.name in SKIPPED_FOLDERS or folder.name.startswith("."):
        return False
    return not Path(folder, "pyvenv.cfg").exists() and folder.resolve() != _library()


def _is_code(path: Path) -> bool:
    if path.suffix != ".py" or path.name.startswith(".") or any(map(path.match, TEST_FILES)):
        return False
    return path.is_file()  # no pipe, and no link to nowhere


def _package_root(path: Path) -> Path:
    folder = path.parent
    while Path(folder, "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@cache
def _library() -> Path:
    return Path(__file__).resolve().parents[1]


@cache
def _python_folders() -> Iterable[Path]:
    return [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
