"""What the environment asks the stack for."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from core.stack.config import ROOT, ConfigError, RunConfig
from core.stack.environments import bare_environment, flower_environment, site_environment
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


def test_fail_with_another_broker() -> None:
    """Its Flower, its checks and its own server are Redis'."""
    with pytest.raises(ConfigError, match=r"RABBITMQ_URL is set, .* Leave RABBITMQ_URL out\."):
        RunConfig.from_environment({"RABBITMQ_URL": "amqp://me@host//"})


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
    environment = site_environment(config, "key")
    assert environment["REDIS_URL"] == f"redis://127.0.0.1:{config.redis_port}/0"
    assert environment["EMAIL_PORT"] == str(config.email_port)
    assert environment["SITE_URL"] == config.site_url
    assert environment["SECRET_KEY"] == "key"


def test_the_embedded_redis_has_a_password(tmp_path: Path) -> None:
    """It is in the address that the processes get, and not in what is shown."""
    config = replace(RunConfig.throw_away(tmp_path), redis_password="hidden")
    assert config.broker_url == f"redis://:hidden@127.0.0.1:{config.redis_port}/0"
    assert "hidden" not in repr(config)
    assert "hidden" not in site_environment(config, "key")["REDIS_URL"]
    assert replace(config, redis_url="redis://host/1").broker_url == "redis://host/1"


def test_no_process_gets_a_secret_that_it_does_not_need(tmp_path: Path) -> None:
    """Flower has the broker's login and its own; the servers, and what is in a file, none."""
    kept = tmp_path / "kept"
    kept.touch(mode=0o600)
    kept.write_text("site-key")
    given = {"SECRET_KEY_FILE": str(kept), "DATABASE_URL": "mysql://host/name"}
    given |= {"DATABASE_PASSWORD": "of-database", "EMAIL_HOST_PASSWORD": "of-mail", "TOKEN": "any"}
    read = RunConfig.from_environment({"VAR_DIR": str(tmp_path), **given})
    assert (read.secret_key, read.database_password) == ("site-key", "of-database")
    config = replace(read, flower_redis_password="of-flower", flower_login="me:it")
    site, flower = site_environment(config, "site-key"), flower_environment(config)
    assert site["SECRET_KEY"] == "site-key"
    assert "SECRET_KEY_FILE" not in site
    assert (flower["REDIS_USERNAME"], flower["REDIS_PASSWORD"]) == ("flower", "of-flower")
    secrets = {"site-key", "of-database", "of-mail", "any"}
    assert not secrets & {*flower.values(), *bare_environment(config).values()}
    assert "FLOWER_BASIC_AUTH" not in site


@pytest.mark.parametrize("password", ["Tide#7/b@d", "100% sure"])
def test_a_password_needs_no_url(password: str) -> None:
    """It reaches the processes as it was given, and probes have it in an address of their own."""
    config = RunConfig.from_environment({"REDIS_URL": "redis://h/1", "REDIS_PASSWORD": password})
    environment = site_environment(config, "key")
    assert (environment["REDIS_URL"], environment["REDIS_PASSWORD"]) == ("redis://h/1", password)
    assert config.broker_url == f"redis://:{quote(password, safe='')}@h/1"
    assert flower_environment(config)["REDIS_PASSWORD"] == password


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"REDIS_PASSWORD": "hidden"}, "^REDIS_PASSWORD is set, and REDIS_URL is not"),
        ({"REDIS_PASSWORD": "hidden", "REDIS_URL": "redis://:hidden@h"}, "^REDIS_URL has a passw"),
        ({"SECRET_KEY": "hidden", "SECRET_KEY_FILE": "/hidden"}, "^SECRET_KEY and SECRET_KEY_FILE"),
        ({"FLOWER_BASIC_AUTH": "hidden"}, "^FLOWER_BASIC_AUTH is not a login"),
        ({"FLOWER_BASIC_AUTH_FILE": "/none/here"}, "^FLOWER_BASIC_AUTH_FILE=/none/here can't be"),
    ],
)
def test_fail_when_a_secret_cannot_be_told(given: dict[str, str], sentence: str) -> None:
    """One is given twice, or is not there."""
    with pytest.raises(ConfigError, match=sentence) as raised:
        RunConfig.from_environment(given)
    assert "hidden" not in str(raised.value)


def test_a_given_mail_server_is_left_as_it_is() -> None:
    """Its port and login are whatever the environment says."""
    given = {"EMAIL_HOST": "mail.example.com", "EMAIL_PORT": "587"}
    environment = site_environment(RunConfig.from_environment(given), "key")
    assert (environment["EMAIL_HOST"], environment["EMAIL_PORT"]) == ("mail.example.com", "587")


def test_no_secret_is_shown_by_accident(tmp_path: Path) -> None:
    """The environment may hold anything."""
    config = RunConfig.from_environment({"SOME_TOKEN": "hidden"})
    assert "hidden" not in repr(config)
