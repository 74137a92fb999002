"""The kept passwords of the demo's users."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from content.demo import LOGINS
from core.stack.banner import logins
from core.stack.config import RunConfig
from core.stack.demo_logins import kept_logins


def lines(var_dir: Path, demo_data: bool = True) -> str:
    """Return what the banner says of logins. Nothing runs: the files are its only source."""
    stack: Any = SimpleNamespace(config=RunConfig.throw_away(var_dir, demo_data=demo_data))
    return "\n".join(logins(stack))


def test_finds_what_the_demo_keeps(tmp_path: Path) -> None:
    """Each password by its user's name, as the demo's command makes it up."""
    kept = {login.username: login.password(tmp_path) for login in LOGINS if login.can_log_in}
    assert kept_logins(tmp_path) == kept
    assert kept.keys() == {"admin", "author", "reader"}
    for username, password in kept.items():
        assert f"    {username:<8}{password}" in lines(tmp_path)


def test_nothing_kept(tmp_path: Path) -> None:
    """Without demo data, or without its files, the banner says how to make a login."""
    assert "createsuperuser" in lines(tmp_path)
    LOGINS[0].password(tmp_path)
    assert "createsuperuser" in lines(tmp_path, demo_data=False)
