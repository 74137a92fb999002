"""``python -m tests.containers``: build the image, run all containers, kill some, say what held.

The exit status is 0 if everything held, 1 if something did not, and 77 if containers can't be run
on this machine.
"""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx

from tests.containers.base_images import UNPROVEN
from tests.containers.compose import Compose
from tests.containers.engine import engine
from tests.containers.errors import Broken, CannotRun
from tests.containers.run import Run
from tests.tools.demo.forms import PageError
from tests.tools.demo.progress import Screen
from tests.tools.demo.site import SiteError

NOT_RUN = 77
NOTHING_SHOWN = (
    "So nothing is shown of the image, of docker-compose.yml, of health checks, kills and stops in "
    "containers, and of passwords by file."
)
FAILURES = (Broken, SiteError, PageError, TimeoutError, httpx.HTTPError, subprocess.SubprocessError)


def main() -> int:
    """Run everything. Return the exit status."""
    screen = Screen()
    signal.signal(signal.SIGTERM, end)  # so that what runs is stopped and removed
    try:
        perform(screen)
    except CannotRun as error:
        reason = " ".join(str(error).split())
        screen.complain(f"NOT RUN: the containers. Because {reason}. {NOTHING_SHOWN}")
        return NOT_RUN
    except FAILURES as error:
        screen.complain(f"{type(error).__name__}: {error}")
        return 1
    return 0


def end(signum: int, frame: FrameType | None) -> NoReturn:
    """End this process as an exception does."""
    sys.exit(128 + signum)


def perform(screen: Screen) -> None:
    """Have an engine, and do everything with it."""
    began = time.monotonic()
    with engine(screen) as docker, tempfile.TemporaryDirectory(prefix="containers-") as folder:
        Run(docker, Compose(docker, Path(folder)), screen).perform()
        if docker.stands_in:
            screen.line(UNPROVEN)
    screen.line(f"The containers held, in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
