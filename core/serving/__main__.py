"""Serve the site: ``python -m core.serving --host 0.0.0.0 --port 8000``."""

import argparse
import multiprocessing
import sys
from importlib import import_module

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from core.serving import limits

PROCESSES = 2


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m core.serving", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at")
    parser.add_argument("--port", type=int, default=8000, help="the port to listen at")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="how many serve")
    parser.add_argument("--application", default="core.asgi:application", help="MODULE:NAME")
    given = parser.parse_args()
    if sys.platform == "linux":
        share(given.application)
    server(given.application, given.host, given.port, given.processes).serve()


def share(application: str) -> None:
    """Import the application for all processes. If it can't start, this process ends at once."""
    multiprocessing.set_start_method("fork", force=True)
    import_module(application.partition(":")[0])


def server(application: str, host: str, port: int, processes: int) -> MPServer:
    """Return the web server. It takes HTTP/1.1 alone, and believes no header about the client."""
    head = HTTP1Settings(
        header_read_timeout=limits.HEAD_SECONDS * 1000, max_buffer_size=limits.HEAD_BYTES
    )
    return MPServer(
        application,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=processes,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        backpressure=limits.CONNECTIONS,
        http1_settings=head,
        log_access=False,
        respawn_failed_workers=True,
        respawn_interval=0.1,
        workers_kill_timeout=limits.STOPS_WITHIN,
    )


if __name__ == "__main__":
    main()
