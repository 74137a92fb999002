"""What the environment asks the stack for."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.stack.config import ROOT, ConfigError, RunConfig
from core.stack.ports import is_free


def test_the_defaults_are_embedded() -> None:
    """Data in var/, the site on 8000, Flower on 5555, every server our own."""
    config = RunConfig.from_environment({})
    assert config.var_dir == ROOT / "var"
    assert (config.site_url, config.flower_url) == (
        "http://127.0.0.1:8000",
        "http://127.0.0.1:5555",
    )
    assert (config.database_url, config.redis_url, config.email_host) == ("", "", "")
    assert config.demo_data


def test_every_variable_is_read(tmp_path: Path) -> None:
    """Each by its own name."""
    config = RunConfig.from_environment(
        {
            "VAR_DIR": str(tmp_path),
            "WEB_PORT": "8100",
            "FLOWER_PORT": "5600",
            "REDIS_PORT": "6400",
            "EMAIL_PORT": "1100",
            "DATABASE_URL": "postgres://host/name",
            "STOP_TIMEOUT": "5",
            "WORKER_CONCURRENCY": "3",
            "DEMO_DATA": "0",
        }
    )
    assert config.var_dir == tmp_path
    ports = (config.web_port, config.flower_port, config.redis_port, config.email_port)
    assert ports == (8100, 5600, 6400, 1100)
    assert config.database_url == "postgres://host/name"
    assert (config.stop_timeout, config.concurrency, config.demo_data) == (5, 3, False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"DEMO_DATA": "no"}, False),
        ({"DEMO_DATA": "1", "WEB_HOST": "localhost"}, True),
        ({"WEB_HOST": "::1"}, True),
        ({"WEB_HOST": "127.0.0.2"}, True),
        ({"WEB_HOST": "0.0.0.0"}, False),  # noqa: S104  # read, not served
        ({"WEB_HOST": "192.0.2.7"}, False),
        ({"WEB_HOST": "site.example.com"}, False),
        ({"DATABASE_URL": "postgres://host/name"}, False),
        ({"DATABASE_URL": "sqlite:////data/db.sqlite3"}, False),
        ({"DATABASE_URL": "postgres://host/name", "DEMO_DATA": "0"}, False),
    ],
)
def test_demo_data_is_for_this_machine_alone(given: dict[str, str], expected: bool) -> None:
    """A database that somebody names, or a site that others reach, gets no superuser of ours."""
    assert RunConfig.from_environment(given).demo_data == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"DATABASE_URL": "postgres://host/name"}, "and DATABASE_URL names another. Leave DEMO"),
        ({"WEB_HOST": "0.0.0.0"}, "and WEB_HOST=0.0.0.0 lets others in. Leave DEMO"),  # noqa: S104
    ],
)
def test_fail_when_demo_data_is_wanted_elsewhere(given: dict[str, str], sentence: str) -> None:
    """The sentence says why, and what to do."""
    with pytest.raises(ConfigError, match=sentence):
        RunConfig.from_environment({**given, "DEMO_DATA": "1"})


def test_fail_when_demo_data_is_neither_yes_nor_no() -> None:
    """The sentence says what was given."""
    with pytest.raises(ConfigError, match="DEMO_DATA='maybe' is not a yes or no"):
        RunConfig.from_environment({"DEMO_DATA": "maybe"})


@pytest.mark.parametrize("value", ["0", "65536", "-1", "http", "80 00"])
def test_fail_when_a_port_is_none(value: str) -> None:
    """The sentence names the variable and what was given."""
    with pytest.raises(ConfigError, match=rf"WEB_PORT='{value}' is not a number from 1 to 65535"):
        RunConfig.from_environment({"WEB_PORT": value})


def test_a_throw_away_run_has_free_ports(tmp_path: Path) -> None:
    """Four different ones."""
    config = RunConfig.throw_away(tmp_path)
    ports = {config.web_port, config.flower_port, config.redis_port, config.email_port}
    assert len(ports) == 4
    assert all(map(is_free, ports))


def test_processes_learn_of_the_embedded_servers(tmp_path: Path) -> None:
    """Redis and the mail catcher, where this run has them."""
    config = RunConfig.throw_away(tmp_path)
    environment = config.process_environment("key", "admin:word")
    assert environment["REDIS_URL"] == f"redis://127.0.0.1:{config.redis_port}/0"
    assert environment["EMAIL_PORT"] == str(config.email_port)
    assert environment["SITE_URL"] == config.site_url
    assert environment["SECRET_KEY"] == "key"
    assert environment["FLOWER_BASIC_AUTH"] == "admin:word"


def test_the_embedded_redis_has_a_password(tmp_path: Path) -> None:
    """It is in the address that the processes get, and not in what is shown."""
    config = replace(RunConfig.throw_away(tmp_path), redis_password="hidden")
    assert config.broker_url == f"redis://:hidden@127.0.0.1:{config.redis_port}/0"
    assert "hidden" not in repr(config)
    assert replace(config, redis_url="redis://host/1").broker_url == "redis://host/1"


def test_a_given_mail_server_is_left_as_it_is() -> None:
    """Its port and login are whatever the environment says."""
    given = {"EMAIL_HOST": "mail.example.com", "EMAIL_PORT": "587"}
    environment = RunConfig.from_environment(given).process_environment("key", "admin:word")
    assert (environment["EMAIL_HOST"], environment["EMAIL_PORT"]) == ("mail.example.com", "587")


def test_no_secret_is_shown_by_accident(tmp_path: Path) -> None:
    """The environment may hold anything."""
    config = RunConfig.from_environment({"SOME_TOKEN": "hidden"})
    assert "hidden" not in repr(config)
