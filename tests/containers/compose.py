"""``docker-compose.yml`` with ports, secrets and an image of its own, beside any installation."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from core.front.rates import DEFAULTS
from core.stack.compose_secrets import keep_secrets
from core.stack.ports import free_port
from tests.containers.docker import Docker
from tests.containers.errors import Broken
from tests.containers.trial_mount import add_tasks

PROJECT = Path(__file__).parents[2]
NAME = "aftercommit-test"
IMAGE = "aftercommit-test"
PASSWORD = "Tide#7/b@d"
"""Each password. A URL would not take it as it is."""

PASSWORDS = (
    *("database_password", "redis_password", "flower_redis_password"),
    *("rabbitmq_password", "flower_rabbitmq_password"),
)
"""The files with one."""

LOGIN = ("admin", PASSWORD)
"""Flower's."""

STOPS_WITHIN = 40
"""Seconds that a worker has to stop, of which its longest call may have 20."""


def lenient(rates: str) -> str:
    """Return the rates of a throttle with amounts that nobody reaches."""
    return re.sub(r"\b\d+/(?=\d)", "999999/", rates)


ACTIVE = {
    # Not off: each form asks Redis, as on any site.
    "THROTTLES": "; ".join(f"{name}={lenient(rates)}" for name, rates in DEFAULTS.items()),
    "NOTIFICATIONS_DIGEST_SECONDS": "0.1",
    **dict.fromkeys(
        [
            *("NOTIFICATIONS_ARTICLES_PER_HOUR", "NOTIFICATIONS_ARTICLES_PER_DAY"),
            *("NOTIFICATIONS_MAILS_PER_HOUR", "NOTIFICATIONS_MAILS_PER_DAY"),
        ],
        "100000",
    ),
}
"""What the visitors of the tests need: they do in a minute what people do in a day."""


def program() -> str:
    """Return the path of Compose, which is in a package of the tests."""
    found = find_spec("compose")
    assert found is not None
    assert found.submodule_search_locations
    return str(Path(next(iter(found.submodule_search_locations))) / "docker-compose")


class Variant(NamedTuple):
    """How a person starts the system: files and profiles of Compose, and variables of ``.env``."""

    files: tuple[str, ...] = ("docker-compose.yml",)
    profiles: tuple[str, ...] = ()
    variables: Mapping[str, str] = {}

    def options(self) -> Iterator[str]:
        """Yield the words of the command line."""
        for name in self.files:
            yield from ("--file", str(PROJECT / name))
        for name in self.profiles:
            yield from ("--profile", name)


PLAIN = Variant()


class Compose:
    """Commands for the whole system."""

    def __init__(self, docker: Docker, folder: Path, variant: Variant = PLAIN) -> None:
        self.docker = docker
        self.folder = folder
        self.variant = variant
        self.file = folder / "compose.json"
        self.ports = {name: free_port() for name in ("WEB_PORT", "FLOWER_PORT", "MAIL_WEB_PORT")}
        number = self.ports["WEB_PORT"] % 256
        self.given = {
            **{name: str(port) for name, port in self.ports.items()},
            "SITE_NETWORK": f"10.219.{number}.0/24",
            "PROXY_NETWORK": f"10.220.{number}.0/24",
            "WORKER_STOPS_WITHIN": str(STOPS_WITHIN),
        }

    def __call__(self, *words: str, seconds: float = 300) -> str:
        """Return what the command writes."""
        options = ["--project-name", NAME, "--file", str(self.file), "--progress", "plain"]
        return self.docker.run([program(), *options, *words], seconds=seconds)

    def url(self, port: str) -> str:
        """Return the address of what is published at the port with that variable."""
        return f"http://127.0.0.1:{self.ports[port]}"

    def prepare(self) -> None:
        """Write the secrets, and the file with all that it needs."""
        write_secrets(self.folder / "secrets")
        config = adapted(self.resolved(), self.folder / "secrets", self.docker.has_start_interval)
        self.file.write_text(json.dumps(config))

    def resolved(self) -> dict[str, Any]:
        """Return the files as Compose understands them, without anybody's ``.env``."""
        command = [program(), "--project-name", NAME]  # else networks and volumes are a person's
        command += ["--project-directory", str(PROJECT), "--env-file", "/dev/null"]
        command += [*self.variant.options(), "config", "--format", "json"]
        given = {**self.given, "APP_IMAGE": IMAGE, **self.variant.variables}
        read: dict[str, Any] = json.loads(self.docker.run(command, more=given))
        return read

    def containers(self, service: str = "") -> list["Container"]:
        """Return the containers of the service, or all, in the order of their numbers."""
        ids = self.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={NAME}").split()
        found = map(container_of, json.loads(self.docker("inspect", *ids)) if ids else [])
        return sorted(each for each in found if service in ("", each.service))

    def container(self, service: str) -> str:
        """Return the name of the service's first container that runs. Raises Broken."""
        running = [each.name for each in self.containers(service) if each.state["Running"]]
        if not running:
            raise Broken(f"No container of {service} runs.")
        return running[0]

    def address(self, service: str) -> str:
        """Return the address of the container on the network that it was put on first."""
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        return self.docker("inspect", "--format", networks, self.container(service)).split()[0]

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of the last container of each service, by the service."""
        return {each.service: each.state for each in self.containers()}

    def are_healthy(self) -> bool:
        """Return whether all containers are, and the migrations are done."""
        containers = self.containers()
        migrated = [each.state["ExitCode"] for each in containers if each.service == "migrate"]
        return migrated == [0] and all(
            is_healthy(each.state) for each in containers if each.service != "migrate"
        )


COMPOSE = "com.docker.compose"
LABEL = f"{COMPOSE}.project"


class Container(NamedTuple):
    """A container of the system."""

    service: str
    number: int
    name: str
    image: str
    state: dict[str, Any]


def container_of(described: Mapping[str, Any]) -> Container:
    """Return the container that the engine describes."""
    labels = described["Config"]["Labels"]
    return Container(
        service=labels[f"{COMPOSE}.service"],
        number=int(labels[f"{COMPOSE}.container-number"]),
        name=described["Name"].lstrip("/"),
        image=described["Image"],
        state=described["State"],
    )


def is_healthy(state: Mapping[str, Any]) -> bool:
    """Return whether the health check of a container was successful the last time."""
    return bool(state.get("Running")) and state.get("Health", {}).get("Status") == "healthy"


def write_secrets(folder: Path) -> None:
    """Write the secrets, with passwords that are hard to pass on."""
    folder.mkdir(mode=0o700)
    for name in PASSWORDS:
        (folder / name).write_text(f"{PASSWORD}\n")
    (folder / "flower_login").write_text(":".join(LOGIN))
    for each in folder.iterdir():
        each.chmod(0o644)
    keep_secrets(folder)


def adapted(config: dict[str, Any], secrets: Path, has_start_interval: bool) -> dict[str, Any]:
    """Return the configuration with these secrets, for visitors who are more active than people.

    An engine before version 25 knows no ``start_interval``. There twice of it is the interval at
    all times. Once would be too much: each check is a program, and there are ten of them. It takes
    as long as ever until a container is unhealthy.
    """
    for name, secret in config["secrets"].items():
        secret["file"] = str(secrets / name)
    for service in config["services"].values():
        service.pop("build", None)
        wanted = service.get("depends_on", {})
        for name in wanted.keys() - config["services"].keys():  # a profile's, which is off
            del wanted[name]
        service.pop("profiles", None)  # those that are wanted have been chosen
        if "SECRET_KEY_FILE" in service.get("environment", {}):
            service["environment"] |= ACTIVE
        check = service.get("healthcheck", {})
        if "start_interval" in check and not has_start_interval:
            usual, seconds = seconds_of(check["interval"]), 2 * seconds_of(check["start_interval"])
            check["retries"] = -(-check["retries"] * usual // seconds)
            check["interval"] = f"{seconds}s"
            del check["start_interval"]
    config.pop("name", None)
    add_tasks(config)
    return config


def seconds_of(text: str) -> int:
    """Return the seconds of an interval, which is shorter than a minute."""
    return int(text.removesuffix("s"))
