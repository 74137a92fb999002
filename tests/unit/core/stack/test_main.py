"""``python -m core.stack`` when something is in the way."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from core.stack.ports import LOOPBACK, free_port
from tests.unit.core.stack.test_preflight import make_former

ROOT = Path(__file__).resolve().parents[4]


def run(tmp_path: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    """What it says and its exit code, with free ports and a folder of its own."""
    ports = {name: str(free_port()) for name in ("WEB_PORT", "FLOWER_PORT")}
    given = {name: str(value) for name, value in variables.items()}
    bare = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var")}
    return subprocess.run(
        [sys.executable, "-m", "core.stack"],
        cwd=ROOT,
        env={**bare, **ports, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_fail_with_one_sentence(tmp_path: Path) -> None:
    """No traceback, exit code 2, and nothing was made of the data."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        refused = run(tmp_path, WEB_PORT=port)
    assert refused.returncode == 2
    assert refused.stdout.startswith(f"Port {port} is taken by another program.")
    assert refused.stdout.count("\n") == 1
    assert refused.stderr == ""
    assert [each.name for each in (tmp_path / "var").iterdir()] == ["stack.lock"]


def test_fail_when_a_variable_makes_no_sense(tmp_path: Path) -> None:
    """It is named, with what was given."""
    refused = run(tmp_path, WEB_PORT="eighty")
    assert (refused.returncode, refused.stderr) == (2, "")
    assert refused.stdout.startswith("WEB_PORT='eighty' is not a number")


def test_fail_when_demo_data_is_wanted_in_a_named_database(tmp_path: Path) -> None:
    """Before anything is started: it would get a superuser that its owner doesn't know of."""
    refused = run(tmp_path, DATABASE_URL="postgres://user:s3cret@host/name", DEMO_DATA=1)
    assert (refused.returncode, refused.stderr) == (2, "")
    assert refused.stdout.startswith("DEMO_DATA=1 is for the embedded database on this machine")
    assert "s3cret" not in refused.stdout


def test_fail_when_the_database_cannot_be_reached(tmp_path: Path) -> None:
    """Before anything is started, and without the password."""
    port = free_port()
    refused = run(tmp_path, DATABASE_URL=f"postgres://user:s3cret@127.0.0.1:{port}/name")
    assert refused.returncode == 2
    assert "can't be reached (Connection refused)" in refused.stdout
    assert "s3cret" not in refused.stdout + refused.stderr


def test_fail_with_data_of_an_earlier_version(tmp_path: Path) -> None:
    """Before anything is started or changed, in one sentence that says what to do."""
    database = tmp_path / "var" / "db.sqlite3"
    database.parent.mkdir()
    make_former(database)
    content = database.read_bytes()
    refused = run(tmp_path)
    assert (refused.returncode, refused.stderr) == (2, "")
    assert refused.stdout.startswith(f"The database {database} was made by an earlier version")
    assert refused.stdout.count("\n") == 1
    assert database.read_bytes() == content
    assert {each.name for each in database.parent.iterdir()} == {"db.sqlite3", "stack.lock"}
