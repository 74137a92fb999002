"""Secrets that are made up once."""

import stat
from pathlib import Path

from core.stack.secret_file import kept_secret


def test_it_is_made_up_once(tmp_path: Path) -> None:
    """Long, and the same at the second call."""
    first = kept_secret(tmp_path / "key")
    assert len(first) >= 50
    assert kept_secret(tmp_path / "key") == first
    assert kept_secret(tmp_path / "other") != first


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """Whatever the umask says."""
    kept_secret(tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
