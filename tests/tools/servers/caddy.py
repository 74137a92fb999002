"""A Caddy of our own, which ends TLS with certificates that it makes itself."""

import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil

from core.stack.ports import LOOPBACK, free_port
from core.stack.servers import Server
from tests.tools.servers.programs import find_or_fetch

GLOBAL = """
{{
    http_port {http_port}
    https_port {port}
    default_bind 127.0.0.1
    admin off
    local_certs
    skip_install_trust
    storage file_system {folder}
}}
"""
"""What makes a Caddyfile for the internet one for this machine."""


class CaddyServer(Server):
    """A Caddy with this Caddyfile, of a site with this name."""

    name: ClassVar[str] = "Caddy"

    def __init__(self, caddyfile: str, host: str) -> None:
        super().__init__()
        self.caddyfile, self.host = caddyfile, host
        self.http_port = free_port()
        self.program = find_or_fetch("caddy")

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    def trust(self) -> ssl.SSLContext:
        """Return what a client needs that trusts the authority of this Caddy alone."""
        return ssl.create_default_context(
            cafile=str(self.directory / "pki/authorities/local/root.crt")
        )

    def command(self) -> list[str | Path]:
        options = GLOBAL.format(http_port=self.http_port, port=self.port, folder=self.directory)
        config = self.directory / "Caddyfile"
        config.write_text(options + self.caddyfile)
        return [self.program, "run", "--config", config, "--adapter", "caddyfile"]

    def answers(self) -> bool:
        """Return whether it has a certificate for its site."""
        with suppress(OSError), socket.create_connection((LOOPBACK, self.port), 5) as plain:
            self.trust().wrap_socket(plain, server_hostname=self.host).close()
            return True
        return False

    def is_asked(self) -> bool:
        """Return whether a client is connected."""
        assert self.process is not None
        first = psutil.Process(self.process.pid)
        return any(
            each.status == psutil.CONN_ESTABLISHED and each.laddr.port == self.port
            for process in [first, *first.children(recursive=True)]
            for each in process.net_connections()
        )
