"""The data folder, as a neighbour on the same machine sees it."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.stack import preflight
from core.stack.config import ROOT, ConfigError, RunConfig
from core.stack.private_folder import make_private
from core.stack.process import Process, Program
from core.stack.waiting import wait_until
from tests.unit.core.stack.fakes import READY_WITHIN, python


def mode(path: Path) -> int:
    """What others and the owner may do with it."""
    return stat.S_IMODE(path.stat().st_mode)


def open_files(folder: Path) -> list[Path]:
    """What others can read, write or list."""
    return [path for path in (folder, *folder.rglob("*")) if mode(path) & 0o077]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder that an earlier version made, open to everybody."""
    folder = tmp_path / "var"
    for name in ("mail/a.eml", "media/avatars/b.png", "db.sqlite3", "db.sqlite3-wal", "secret_key"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


def test_an_old_folder_is_closed(old: Path) -> None:
    """With all that the system keeps in it, before anything is started."""
    preflight.check_folder(replace(RunConfig.throw_away(old)))
    assert open_files(old) == []
    assert (mode(old), mode(old / "mail"), mode(old / "mail/a.eml")) == (0o700, 0o700, 0o600)


def test_a_new_folder_is_closed(tmp_path: Path) -> None:
    """From its first moment."""
    make_private(tmp_path / "a" / "var")
    assert mode(tmp_path / "a" / "var") == 0o700


def test_other_peoples_files_stay(old: Path, tmp_path: Path) -> None:
    """A file of another name, and what a link leads to."""
    other, target = old / "notes.sh", tmp_path / "target"
    for path in (other, target):
        path.touch()
        path.chmod(0o755)
    (old / "mail" / "link").symlink_to(target)
    make_private(old)
    assert (mode(other), mode(target)) == (0o755, 0o755)


def test_fail_everybodys_folder(tmp_path: Path) -> None:
    """A folder such as that for temporary files is refused, and not closed to its other users."""
    tmp_path.chmod(0o1777)
    with pytest.raises(ConfigError, match="is everybody's, and the data is not"):
        preflight.check_folder(RunConfig.throw_away(tmp_path))
    assert mode(tmp_path) == 0o1777


def test_a_program_makes_files_for_its_owner_only(tmp_path: Path) -> None:
    """Whatever the mask of who starts the system is."""
    path = tmp_path / "made"
    before = os.umask(0)
    try:
        program = Program("write", python("import sys; open(sys.argv[1], 'w')", path), once=True)
        process = Process(program, os.environ, lambda name, line: None)
    finally:
        os.umask(before)
    wait_until(lambda: process.ended() is not None, READY_WITHIN, "the program")
    assert mode(path) == 0o600


def test_manage_makes_a_database_for_its_owner_only(tmp_path: Path) -> None:
    """Also before ``make run`` has closed the folder."""
    path = tmp_path / "db.sqlite3"
    given = {"DATABASE_URL": f"sqlite:///{path}", "VAR_DIR": str(tmp_path), "DEBUG": "1"}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "contenttypes", "--verbosity", "0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **given},
        check=True,
        umask=0,
    )
    assert [file for file in open_files(tmp_path) if file != tmp_path] == []


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_PASSWORD", "REDIS_URL", "SECRET_KEY"])
def test_make_takes_no_password_from_its_command_line(name: str) -> None:
    """Every user of the machine can read it there. The sentence says where to put it instead."""
    said = subprocess.run(
        ["make", "--dry-run", "run", f"{name}=word"], cwd=ROOT, capture_output=True, text=True
    )
    assert said.returncode == 2
    assert f"{name} is on the command line of make" in said.stderr
    assert f"Put it before make: {name}=... make run" in said.stderr


def test_make_takes_it_from_the_environment() -> None:
    """Which its owner alone can read."""
    given = {**os.environ, "DATABASE_URL": "postgres://user:word@host/name"}
    subprocess.run(["make", "--dry-run", "run"], cwd=ROOT, env=given, check=True)
