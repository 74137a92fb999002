"""A RabbitMQ server of the tests' own: a node without peers on the loopback address."""

import os
import secrets
import shutil
from pathlib import Path
from typing import ClassVar

from kombu import Connection

from core.stack.ports import LOOPBACK, free_port, is_free
from core.stack.servers import Server, ServerError
from tests.tools.servers.debian import libraries, unpacked

USER = "tests"
PACKAGE = "rabbitmq-server"
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin"])
INSTALLED = "/usr/lib/rabbitmq/bin"
"""Debian's own programs on the PATH refuse every user but root and ``rabbitmq``."""

FETCHED = [unpacked(PACKAGE) / folder for folder in ("usr/lib/rabbitmq/bin", "usr/lib/erlang/bin")]
"""Where the programs are that were fetched."""

NEEDED = ("rabbitmq-server", "erl", "epmd")


def find_program(name: str) -> Path:
    """Return the path of the program, with links followed. Raise ServerError if it's missing."""
    path = os.pathsep.join([INSTALLED, SEARCHED, *map(str, FETCHED)])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerError(
            f"{name} was not found. Install it (on Debian, in {PACKAGE}), or put it and "
            f"{', '.join(NEEDED)} on the PATH."
        )
    return Path(found).resolve()


class Epmd(Server):
    """Erlang's directory of nodes. RabbitMQ doesn't start without, and would leave it behind."""

    name: ClassVar[str] = "epmd"

    @property
    def url(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def command(self) -> list[str | Path]:
        return [find_program("epmd"), "-address", LOOPBACK, "-port", str(self.port)]

    def answers(self) -> bool:
        """Return whether something listens on the port."""
        return not is_free(self.port)


class RabbitMQServer(Server):
    """A server of our own; ``url`` is what ``CELERY_BROKER_URL`` can be.

    What is durable survives the server's own death.
    """

    name: ClassVar[str] = "RabbitMQ"

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port)
        self.password = secrets.token_urlsafe(16)
        self.epmd = Epmd()
        self.program, self.erl, _ = map(find_program, NEEDED)

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self.password}@{LOOPBACK}:{self.port}//"

    def prepare(self) -> None:
        """Start epmd, and write the configuration and a command ``erl``."""
        self.epmd.start()
        config = self.directory / "rabbitmq.conf"
        config.touch(mode=0o600)
        config.write_text(f"default_user = {USER}\ndefault_pass = {self.password}\n")
        self._write_erl()

    def _write_erl(self) -> None:
        """Write a command ``erl`` for Erlang where it is; Debian's works in /usr/lib alone."""
        root = self.erl.parents[1]
        (runtime,) = root.glob("erts-*/bin")
        names = {"ROOTDIR": root, "BINDIR": runtime, "EMU": "beam", "PROGNAME": "erl"}
        exports = "".join(f"export {name}='{value}'\n" for name, value in names.items())
        erl = self.directory / "bin" / "erl"
        erl.parent.mkdir()
        erl.write_text(f'#!/bin/sh\n{exports}exec "$BINDIR/erlexec" "$@"\n')
        erl.chmod(0o700)

    def command(self) -> list[str | Path]:
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        settings = {
            "HOME": self.directory,  # of the node's secret
            "PATH": f"{self.directory / 'bin'}{os.pathsep}{SEARCHED}",
            "LD_LIBRARY_PATH": libraries(PACKAGE),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": self.epmd.port,
            "RABBITMQ_ALLOW_INPUT": 1,  # the process is the server itself, and no shell around it
            "RABBITMQ_CONFIG_FILE": self.directory / "rabbitmq",
            "RABBITMQ_CONF_ENV_FILE": self.directory / "none",
            "RABBITMQ_DIST_PORT": free_port(),
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.directory / "plugins",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": self.directory / "log",
            "RABBITMQ_MNESIA_BASE": self.directory / "data",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_NODENAME": f"tests{self.epmd.port}@localhost",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"-noinput -start_epmd false {loopback}",
        }
        return ["env", *(f"{name}={value}" for name, value in settings.items()), self.program]

    def answers(self) -> bool:
        """Return whether the server lets the tests' user in, whose password no other knows."""
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except connection.connection_errors:
            return False
        return True

    def close(self) -> None:
        """Stop the server and epmd, and remove their folders."""
        super().close()
        self.epmd.close()
