"""The site's settings, as a new process reads them from its environment."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def read_key(**variables: str) -> subprocess.CompletedProcess[str]:
    """The SECRET_KEY of a process with these variables, or its error."""
    code = "from django.conf import settings; print(settings.SECRET_KEY)"
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
    """``SECRET_KEY``: never one that others know."""

    @pytest.mark.parametrize("debug", ["0", "1"])
    def test_made_up(self, tmp_path: Path, debug: str) -> None:
        """Without one each installation has its own, kept from others."""
        folder = tmp_path / "new" / "var"
        first, second = (read_key(VAR_DIR=str(folder), DEBUG=debug) for _ in range(2))
        assert len(first.stdout.strip()) >= 50
        assert first.stdout == second.stdout
        assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
        assert read_key(VAR_DIR=str(tmp_path)).stdout != first.stdout

    def test_given(self, tmp_path: Path) -> None:
        """One that is given is taken, and nothing is kept."""
        assert read_key(VAR_DIR=str(tmp_path), SECRET_KEY="given").stdout == "given\n"
        assert [*tmp_path.iterdir()] == []

    @pytest.mark.parametrize("debug", ["0", "1"])
    def test_fail_required(self, tmp_path: Path, debug: str) -> None:
        """An image takes none that is made up: its containers would differ."""
        refused = read_key(VAR_DIR=str(tmp_path), REQUIRE_SECRET_KEY="1", DEBUG=debug)
        assert "SECRET_KEY is empty. Set it to a long random string." in refused.stderr

    def test_fail_no_folder(self, tmp_path: Path) -> None:
        """Where none can be kept, the sentence says so."""
        (tmp_path / "file").write_text("")
        refused = read_key(VAR_DIR=str(tmp_path / "file"))
        assert "SECRET_KEY is empty, and none can be kept in" in refused.stderr
