"""The tests' own copy of ``docker-compose.yml``."""

from pathlib import Path
from typing import Any

import pytest

from core.front.rates import read_throttles
from tests.containers.compose import (
    NAME,
    PASSWORD,
    PASSWORDS,
    Compose,
    adapted,
    is_healthy,
    write_secrets,
)
from tests.containers.docker import Docker, client_environment


def config() -> dict[str, Any]:
    """Return what Compose says of two services."""
    return {
        "name": "aftercommit",
        "services": {
            "web": {
                "build": {"context": "."},
                "environment": {"SECRET_KEY_FILE": "/run/secrets/secret_key"},
                "healthcheck": {"interval": "10s", "retries": 5, "start_interval": "1s"},
                "depends_on": {"redis": {}, "pgbouncer": {"required": False}},
                "profiles": ["wanted"],
            },
            "redis": {},
        },
        "secrets": {"secret_key": {"file": "/home/me/.secrets/secret_key"}},
    }


@pytest.mark.parametrize("has_start_interval", [True, False])
def test_adapted(tmp_path: Path, has_start_interval: bool) -> None:
    """It has its own secrets and name, and no build. An old engine looks often all the time."""
    found = adapted(config(), tmp_path, has_start_interval)
    assert "name" not in found
    assert found["secrets"] == {"secret_key": {"file": str(tmp_path / "secret_key")}}
    assert not {"build", "profiles"} & {*found["services"]["web"]}
    assert found["services"]["web"]["depends_on"] == {"redis": {}}
    throttles = read_throttles(found["services"]["web"]["environment"]["THROTTLES"])
    assert {rate.amount for rates in throttles.values() for rate in rates} == {999_999}
    old = {"interval": "2s", "retries": 25}
    new = {"interval": "10s", "retries": 5, "start_interval": "1s"}
    assert found["services"]["web"]["healthcheck"] == (new if has_start_interval else old)
    assert found["services"]["redis"] == {}


def test_secrets(tmp_path: Path) -> None:
    """Each password is one that a URL would not take."""
    write_secrets(tmp_path / "secrets")
    words = {each.name: each.read_text() for each in (tmp_path / "secrets").iterdir()}
    passwords = {name: word for name, word in words.items() if PASSWORD in word}
    assert passwords.keys() == {*(*PASSWORDS, "flower_login", "pgbouncer_users")}


def test_nothing_of_a_person(tmp_path: Path) -> None:
    """Networks and volumes are its own, also on an engine where the system runs already."""
    docker = Docker(client_environment(), stands_in=False)
    found = Compose(docker, tmp_path).resolved()
    named = [each["name"] for kind in ("networks", "volumes") for each in found[kind].values()]
    assert named
    assert all(name.startswith(f"{NAME}_") for name in named)


def test_variables_of_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of their own installation are not for this one."""
    monkeypatch.setenv("SITE_URL", "https://mine.example")
    monkeypatch.setenv("DOCKER_HOST", "unix:///mine")
    found = client_environment(HOME="/here")
    assert "SITE_URL" not in found
    assert (found["DOCKER_HOST"], found["HOME"]) == ("unix:///mine", "/here")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"Running": True, "Health": {"Status": "healthy"}}, True),
        ({"Running": True, "Health": {"Status": "starting"}}, False),
        ({"Running": False, "Health": {"Status": "healthy"}}, False),
        ({"Running": True}, False),
    ],
)
def test_health(state: dict[str, Any], expected: bool) -> None:
    """A service without a health check is not known to be healthy."""
    assert is_healthy(state) is expected
