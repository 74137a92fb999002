"""Secrets that are made up once."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

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


def test_all_who_ask_at_once_get_the_same(tmp_path: Path) -> None:
    """None finds the file while it is empty, and nothing else is left in the folder."""
    together = Barrier(8)

    def ask(number: int) -> set[str]:
        together.wait(10)
        return {kept_secret(tmp_path / f"key{each}") for each in range(50)}

    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(ask, range(8))]
    assert len(answers[0]) == 50
    assert all(each == answers[0] for each in answers)
    assert len([*tmp_path.iterdir()]) == 50
