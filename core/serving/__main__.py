"""Serve the site: ``python -m core.serving --host 0.0.0.0 --port 8000``."""

import argparse
import math
import multiprocessing
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from core.serving import limits
from core.serving.processes import Server
from core.stack.ports import LOOPBACK, is_free

DRAINS_FOR = "after SIGTERM serve so many seconds more, while /servez answers 503"


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    given = parser().parse_args()
    # Several processes listen at one port, so the system would let a second server in.
    if not given.unix and not is_free(given.port, given.host):
        sys.exit(f"{given.host}:{given.port} is in use, or is no address of this machine.")
    if sys.platform == "linux":
        share(given.application)
    server(given).serve()


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="python -m core.serving", description="Serve the site.")
    made.add_argument("--host", default=LOOPBACK, help="the address to listen at")
    made.add_argument("--port", type=int, default=8000, help="the port to listen at")
    made.add_argument("--unix", type=Path, help="a Unix socket to listen at instead, mode 0660")
    made.add_argument("--processes", type=positive, default=2, help="how many processes serve")
    made.add_argument("--drains-for", type=seconds, default=0, help=DRAINS_FOR)
    made.add_argument("--application", default="core.asgi:application", help="MODULE:NAME")
    return made


def positive(text: str) -> int:
    """Return the number. Raises ArgumentTypeError for what is no number from 1 on."""
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on.")


def seconds(text: str) -> float:
    """Return the seconds. Raises ArgumentTypeError for what is no number from 0 on."""
    with suppress(ValueError):
        if 0 <= (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on.")


def share(application: str) -> None:
    """Import the application for all processes. If it can't start, this process ends at once."""
    multiprocessing.set_start_method("fork", force=True)
    import_module(application.partition(":")[0])


def server(given: argparse.Namespace) -> Server:
    """Return the web server. It takes HTTP/1.1 alone, and believes no header about the client."""
    head = HTTP1Settings(
        header_read_timeout=limits.HEAD_SECONDS * 1000, max_buffer_size=limits.HEAD_BYTES
    )
    return Server(
        given.application,
        address=given.host,
        port=given.port,
        uds=given.unix,
        uds_permissions=0o660,
        interface=Interfaces.ASGI,
        workers=given.processes,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=limits.CONNECTIONS,
        http1_settings=head,
        log_access=False,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=limits.STOPS_WITHIN,
        drains_for=given.drains_for,
    )


if __name__ == "__main__":
    main()
