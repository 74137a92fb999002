"""``docker-compose.rabbitmq.yml``: RabbitMQ is there, and Redis is not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from core.stack.rabbitmq_users import OF_FLOWER, definitions, hashed
from tests.containers.compose import Compose
from tests.containers.docker import Docker, client_environment
from tests.containers.variants import RABBITMQ

HARDENED = ("read_only", "cap_drop", "security_opt", "pids_limit", "logging", "restart")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return both files as Compose puts them together."""
    docker = Docker(client_environment(), stands_in=False)
    return Compose(docker, tmp_path_factory.mktemp("compose"), RABBITMQ.variant).resolved()


def sources(service: dict[str, Any]) -> set[str]:
    """Return the secrets of the service."""
    return {each["source"] for each in service.get("secrets", [])}


def test_nothing_of_redis(config: dict[str, Any]) -> None:
    """It is not started, nobody waits for it or asks it, and nobody has its password."""
    assert "redis" not in config["services"]
    assert not [name for name in config["secrets"] if "redis" in name]
    for name, service in config["services"].items():
        assert "redis" not in service.get("depends_on", {}), name
        told = service.get("environment", {})
        assert not [key for key, value in told.items() if key.startswith("REDIS") and value], name


def test_who_is_told_of_it(config: dict[str, Any]) -> None:
    """Each has the password of its user, and waits until it is healthy."""
    services = config["services"]
    users = {
        name: (each["environment"]["RABBITMQ_URL"], each["environment"]["RABBITMQ_PASSWORD_FILE"])
        for name, each in services.items()
        if "RABBITMQ_URL" in each.get("environment", {})
    }
    site = ("amqp://aftercommit@rabbitmq:5672//", "/run/secrets/rabbitmq_password")
    flower = ("amqp://flower@rabbitmq:5672//", "/run/secrets/flower_rabbitmq_password")
    assert users == {"web": site, "worker": site, "beat": site, "flower": flower}
    assert sources(services["web"]) == {"secret_key", "database_password", "rabbitmq_password"}
    assert sources(services["worker"]) == sources(services["web"]) | {"email_password"}
    assert sources(services["beat"]) == {"secret_key", "rabbitmq_password"}
    assert sources(services["flower"]) == {"flower_rabbitmq_password", "flower_login"}
    for name in ("web", "worker", "beat"):
        assert services[name]["depends_on"]["rabbitmq"]["condition"] == "service_healthy"


def test_hardened_as_redis_is(config: dict[str, Any], tmp_path: Path) -> None:
    """What one file says for its servers, the other says for its own."""
    rabbitmq = config["services"]["rabbitmq"]
    docker = Docker(client_environment(), stands_in=False)
    redis = Compose(docker, tmp_path).resolved()["services"]["redis"]
    assert {name: rabbitmq[name] for name in HARDENED} == {name: redis[name] for name in HARDENED}
    assert {*rabbitmq["networks"]} == {*redis["networks"]} == {"broker"}
    assert rabbitmq["user"] == "999:999"
    assert "ports" not in rabbitmq
    assert sources(rabbitmq) == {"rabbitmq_users"}
    assert not [key for key in rabbitmq["environment"] if "PASS" in key or "COOKIE" in key]


def test_memory(config: dict[str, Any]) -> None:
    """It takes no more messages well before the kernel would end it."""
    text = Path(config["configs"]["rabbitmq"]["file"]).read_text()
    found = re.search(r"^vm_memory_high_watermark.absolute = (\d+)MB$", text, re.MULTILINE)
    assert found
    assert int(found[1]) * 2 * 1024**2 <= int(config["services"]["rabbitmq"]["mem_limit"])
    assert "load_definitions = /run/secrets/rabbitmq_users" in text


class TestUsers:
    """Who may log in at RabbitMQ, and do what."""

    def test_hash(self) -> None:
        """RabbitMQ's own documentation has this one."""
        expected = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
        assert hashed("test12", bytes.fromhex("908DC60A")) == expected

    def test_no_password_is_written(self) -> None:
        """The site may do all, and Flower what it needs."""
        text = definitions("Tide#7/b@d", "word-of-flower")
        assert "Tide#7" not in text
        assert "word-of-flower" not in text
        made = json.loads(text)
        rights = {each["user"]: each["configure"] for each in made["permissions"]}
        assert rights == {"aftercommit": ".*", "flower": OF_FLOWER}
        assert [each["tags"] for each in made["users"]] == [[], []]

    @pytest.mark.parametrize(
        ("name", "may"),
        [
            ("celeryev", True),
            ("celeryev.3f0c", True),
            ("celery.pidbox", True),
            ("reply.celery.pidbox", True),
            ("3f0c.reply.celery.pidbox", True),
            ("celery", False),
            ("amq.default", False),
            ("worker@host.celery.pidbox", False),
            ("celeryevil", False),
        ],
    )
    def test_what_flower_reaches(self, name: str, may: bool) -> None:
        """It can neither send tasks nor read messages."""
        assert bool(re.search(OF_FLOWER, name)) is may
