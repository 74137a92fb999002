"""A site of a few pages. ``/wait`` waits for the file that the environment names."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.serving import server
from core.serving.application import Buffered
from core.stack.waiting import wait_until

server.SILENCE = 1
server.STUCK = 1
GATE = Path(os.environ["TARGET_GATE"])
LARGE = b"x" * 7_000_000


def pages(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Answer."""
    start("200 OK", [])
    if environ["PATH_INFO"] == "/stuck":
        re.match("(a+)+$", "a" * 60 + "b")  # for years, and no other thread has a turn
    if environ["PATH_INFO"] == "/exit":
        os._exit(1)
    if environ["PATH_INFO"] == "/wait":
        Path(f"{GATE}.reached").touch()
        wait_until(GATE.exists, 30)
    return [LARGE if environ["PATH_INFO"] == "/large" else str(os.getpid()).encode()]


application = Buffered(pages)
