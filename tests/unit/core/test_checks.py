"""System checks of the site."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from core.checks import check_data_folder, check_former_data
from core.former_data import FORMER_TABLE
from core.stack.config import ROOT
from tests.unit.core.stack.test_preflight import former_table, make_former
from tests.unit.core.test_settings import GOOD

SAID = "was made by an earlier version of this project"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _former() -> Iterator[None]:
    """A database that an earlier version made."""
    with former_table():
        yield


class TestFormerData:
    """``core.E001``."""

    def test_success(self) -> None:
        """A database of this version passes."""
        assert check_former_data(databases=["default"]) == []

    @pytest.mark.usefixtures("_former")
    def test_fail_of_a_container(self) -> None:
        """The step that waits for its database refuses it as well, and asks once."""
        with pytest.raises(SystemCheckError, match=r"core\.E001"):
            call_command("migrate_when_ready")

    @pytest.mark.every_database
    @pytest.mark.usefixtures("_former")
    def test_fail(self) -> None:
        """``manage.py migrate`` alone refuses it too, before it applies anything."""
        name = re.escape(str(connection.settings_dict["NAME"]))
        with pytest.raises(SystemCheckError, match=f"core.E001.*{name} {SAID}"):
            call_command("migrate", skip_checks=False)

    def test_fail_command(self, tmp_path: Path) -> None:
        """As a process of its own, which imports nothing of this test, and changes no table."""
        path = tmp_path / "db.sqlite3"
        make_former(path)
        migrate = subprocess.run(
            [sys.executable, "manage.py", "migrate"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "SECRET_KEY": GOOD},
            capture_output=True,
            text=True,
            check=False,
        )
        assert migrate.returncode == 1
        assert f"The database {path} {SAID}" in migrate.stderr
        with closing(sqlite3.connect(path)) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            assert [name for (name,) in tables] == [FORMER_TABLE]

    @pytest.mark.usefixtures("_former")
    def test_without_a_database(self) -> None:
        """A check that is to ask no database asks none."""
        call_command("check")


class TestDataFolder:
    """``core.E002``."""

    def test_success(self, settings: Any, tmp_path: Path) -> None:
        """One that can be written passes, and so does one that is yet to be made."""
        for folder in (tmp_path, tmp_path / "new"):
            settings.VAR_DIR = folder
            assert check_data_folder() == []

    def test_fail(self, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Somebody else's is named with its owner, and with what to do."""
        settings.VAR_DIR = tmp_path
        monkeypatch.setattr("core.checks.os.access", lambda *asked: False)
        (error,) = check_data_folder()
        assert error.id == "core.E002"
        assert f"VAR_DIR={tmp_path} can't be written by user {os.geteuid()}" in error.msg
        assert f"chown -R {os.geteuid()}:{os.getegid()} {tmp_path}" in str(error.hint)
