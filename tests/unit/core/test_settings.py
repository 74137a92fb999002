"""The site's settings, as a new process reads them from its environment."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.stack.secret_file import kept_secret

GOOD = "of-the-tests-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2
ROOT = Path(__file__).resolve().parents[3]


def read_key(**variables: str) -> subprocess.CompletedProcess[str]:
    """The SECRET_KEY of a process with these variables, or its error."""
    return read("settings.SECRET_KEY", **variables)


def read(wanted: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a process with these variables prints, or its error."""
    code = f"from django.conf import settings; print({wanted})"
    bare = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "core.settings"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**bare, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


class TestSecretKey:
    """``SECRET_KEY``: never one that others know, and no start without one."""

    def test_fail_none(self, tmp_path: Path) -> None:
        """Without debugging none is made up: processes of one site would each have its own."""
        refused = read_key(VAR_DIR=str(tmp_path))
        assert refused.returncode != 0
        assert "SECRET_KEY is empty, and none is kept in" in refused.stderr
        assert [*tmp_path.iterdir()] == []

    def test_kept(self, tmp_path: Path) -> None:
        """The one that ``make run`` keeps is taken by every process on the same data."""
        key = kept_secret(tmp_path / "secret_key")
        assert read_key(VAR_DIR=str(tmp_path)).stdout == f"{key}\n"

    def test_made_up_for_debugging(self, tmp_path: Path) -> None:
        """Each installation has its own, kept from others."""
        folder = tmp_path / "new" / "var"
        first, second = (read_key(VAR_DIR=str(folder), DEBUG="1") for _ in range(2))
        assert len(first.stdout.strip()) >= 50
        assert first.stdout == second.stdout
        assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
        assert read_key(VAR_DIR=str(tmp_path), DEBUG="1").stdout != first.stdout

    def test_given(self, tmp_path: Path) -> None:
        """One that is given is taken, and nothing is kept."""
        assert read_key(VAR_DIR=str(tmp_path), SECRET_KEY=GOOD).stdout == f"{GOOD}\n"
        assert [*tmp_path.iterdir()] == []

    @pytest.mark.parametrize(
        ("weak", "said"),
        [
            ("django-insecure-" + GOOD, "begins with 'django-insecure-'"),
            ("x1y2z3" * 8, "has 48 characters, and at least 50 are needed"),
            ("ab" * 40, "is a few characters again and again"),
        ],
    )
    @pytest.mark.parametrize("source", ["given", "kept"])
    def test_fail_weak(self, tmp_path: Path, weak: str, said: str, source: str) -> None:
        """A key that can be guessed signs anybody's session. The sentence doesn't show the key."""
        (tmp_path / "secret_key").write_text(weak)
        given = {"SECRET_KEY": weak} if source == "given" else {}
        refused = read_key(VAR_DIR=str(tmp_path), **given)
        assert refused.returncode != 0
        assert f"SECRET_KEY {said}" in refused.stderr
        assert weak not in refused.stderr

    def test_weak_for_debugging(self, tmp_path: Path) -> None:
        """Who debugs may have any."""
        assert read_key(VAR_DIR=str(tmp_path), SECRET_KEY="x", DEBUG="1").stdout == "x\n"

    def test_fail_no_folder(self, tmp_path: Path) -> None:
        """Where none can be kept, the sentence says so."""
        (tmp_path / "file").write_text("")
        refused = read_key(VAR_DIR=str(tmp_path / "file"), DEBUG="1")
        assert "SECRET_KEY is empty, and none can be kept in" in refused.stderr


def test_empty_variables() -> None:
    """An empty one is as one that is not set: Compose sets those that ``.env`` has not."""
    wanted = (
        "settings.ALLOWED_HOSTS, settings.DEFAULT_FROM_EMAIL, settings.LOGGING['root']['level']"
    )
    empty = dict.fromkeys(("ALLOWED_HOSTS", "DEFAULT_FROM_EMAIL", "LOG_LEVEL"), "")
    given = {"SECRET_KEY": GOOD, "SITE_URL": "https://shop.example"}
    found = read(wanted, **given, **empty)
    assert found.stdout == read(wanted, **given).stdout, found.stderr
    assert "'shop.example'" in found.stdout
