"""``docker-compose.yml``: who gets which secret, and who can reach whom."""

import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.stack.compose_secrets import keep_secrets, make_up
from tests.unit.core.stack.test_main import ROOT

COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
SECRETS = {
    "migrate": {"secret_key", "database_password"},
    "web": {"secret_key", "database_password", "redis_password"},
    "worker": {"secret_key", "database_password", "redis_password", "email_password"},
    "beat": {"secret_key", "redis_password"},
    "flower": {"flower_redis_password", "flower_login"},
    "postgres": {"database_password"},
    "redis": {"redis_users"},
    "mail": set(),
}
"""The secrets that each container needs."""

NETWORKS = {
    "migrate": {"database"},
    "web": {"site", "database", "broker"},
    "worker": {"mail", "database", "broker"},
    "beat": {"broker"},
    "flower": {"flower", "broker"},
    "postgres": {"database"},
    "redis": {"broker"},
    "mail": {"mail"},
}
"""The networks that each container needs."""


def test_each_container_gets_the_secrets_that_it_needs() -> None:
    """Flower has none of the site's. Each secret is a file of the folder that make makes."""
    assert {name: {*each.get("secrets", ())} for name, each in SERVICES.items()} == SECRETS
    files = {name: each["file"] for name, each in COMPOSE["secrets"].items()}
    assert files == {name: f".secrets/{name}" for name in {*make_up(), "redis_users"}}


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_come_by_file(name: str) -> None:
    """A variable names the file of a secret that the container has, and no variable is a secret."""
    environment = SERVICES[name].get("environment", {})
    named = {key: value for key, value in environment.items() if key.endswith("_FILE")}
    paths = {f"/run/secrets/{each}" for each in SECRETS[name]}
    command = " ".join(SERVICES[name].get("command", []))
    assert all(any(path in value for path in paths) for value in named.values())
    assert all(any(path in value for value in [*named.values(), command]) for path in paths)
    words = ("PASSWORD", "SECRET", "AUTH", "TOKEN")
    assert not [key for key in {*environment} - {*named} if any(word in key for word in words)]
    assert "@" not in environment.get("REDIS_URL", "")
    assert ":" not in environment.get("DATABASE_URL", "").rpartition("@")[0].partition("//")[2]


def test_what_browsers_reach_is_not_where_the_data_is() -> None:
    """The database and the broker are on networks that lead nowhere else."""
    assert {name: {*each["networks"]} for name, each in SERVICES.items()} == NETWORKS
    internal = {name for name, each in COMPOSE["networks"].items() if each and each["internal"]}
    assert internal == {"database", "broker"}
    published = {name for name, each in SERVICES.items() if "ports" in each}
    assert published == {"web", "flower", "mail"}
    assert all(
        port.startswith("127.0.0.1:") for name in published for port in SERVICES[name]["ports"]
    )
    assert not {"postgres", "mail"} & {
        other for other, each in NETWORKS.items() if each & NETWORKS["flower"]
    }


class TestSecrets:
    """``make secrets``."""

    def test_made_up_for_each_installation(self) -> None:
        """Never the same twice. A mail server's password is for a person to fill in."""
        first, second = make_up(), make_up()
        assert not {*first.values()} & {*second.values()} - {""}
        assert [name for name, value in first.items() if len(value) < 12] == ["email_password"]

    def test_only_its_owner_enters_the_folder(self, tmp_path: Path) -> None:
        """A container's user has another number, and reads the file that it gets."""
        folder = tmp_path / ".secrets"
        folder.mkdir(mode=0o755)
        before = os.umask(0o077)
        try:
            keep_secrets(folder)
        finally:
            os.umask(before)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o644}
        assert {each.name for each in folder.iterdir()} == {*make_up(), "redis_users"}

    def test_kept(self, tmp_path: Path) -> None:
        """What a person wrote into a file holds, whatever it is, in Redis too."""
        folder = tmp_path / ".secrets"
        keep_secrets(folder)
        kept = {each.name: each.read_text() for each in folder.iterdir()}
        (folder / "redis_password").write_text("Tide#7/b@d ✓\n")
        keep_secrets(folder)
        changed = {each.name for each in folder.iterdir() if each.read_text() != kept[each.name]}
        assert changed == {"redis_password", "redis_users"}
        users = (folder / "redis_users").read_text()
        assert sha256("Tide#7/b@d ✓".encode()).hexdigest() in users
        assert (folder / "flower_redis_password").read_text().strip() not in users

    def test_former(self, tmp_path: Path) -> None:
        """A database keeps the password that it was made with, when that was in ``.env``."""
        (tmp_path / ".env").write_text(
            "# old\nPOSTGRES_PASSWORD='Tide=7'\nSECRET_KEY=\nWEB_PORT=1\n"
        )
        folder = tmp_path / ".secrets"
        keep_secrets(folder)
        assert (folder / "database_password").read_text() == "Tide=7\n"
        assert len((folder / "secret_key").read_text()) > 50

    def test_command(self, tmp_path: Path) -> None:
        """It needs no package."""
        for name in ("aftercommit", "core", "requirements"):
            (tmp_path / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "Makefile", tmp_path)
        made = subprocess.run(
            ["make", "secrets"], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        kept = {each.read_text().strip() for each in (tmp_path / ".secrets").iterdir()} - {""}
        assert not [word for word in kept if word in made.stdout + made.stderr]
        assert len(kept) == len(make_up())
