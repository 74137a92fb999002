"""``python -m tests.containers``: build the image, run all containers, kill some, say what held.

The exit status is 0 if everything held, 1 if something did not, and 77 if containers can't be run
on this machine. With ``--not-run FILE`` the status is 0 then, and the file has the line that says
why, for a caller who does more than this and shows the line last.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx

from tests.containers import variants
from tests.containers.base_images import UNPROVEN
from tests.containers.compose import Compose
from tests.containers.engine import engine
from tests.containers.errors import Broken, CannotRun
from tests.containers.run import Run
from tests.tools.demo.forms import PageError
from tests.tools.demo.progress import Screen
from tests.tools.demo.site import SiteError

SUMMARY = "Build the image, run all containers, kill some, and say what held."
NOT_RUN = 77
NOTHING_SHOWN = (
    "So nothing is shown of the image, of docker-compose.yml, of health checks, kills and stops in "
    "containers, and of passwords by file."
)
FAILURES = (Broken, SiteError, PageError, TimeoutError, httpx.HTTPError, subprocess.SubprocessError)


def main(words: Sequence[str] | None = None) -> int:
    """Run everything. Return the exit status."""
    given = parser().parse_args(words)
    screen = Screen()
    signal.signal(signal.SIGTERM, end)  # so that what runs is stopped and removed
    try:
        perform(screen)
    except CannotRun as error:
        reason = " ".join(str(error).split())
        return tell(f"NOT RUN: the containers. Because {reason}. {NOTHING_SHOWN}", given, screen)
    except FAILURES as error:
        screen.complain(f"{type(error).__name__}: {error}")
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="python -m tests.containers", description=SUMMARY)
    made.add_argument(
        "--not-run", type=Path, help="a file for the line that says why nothing could be run"
    )
    return made


def tell(line: str, given: argparse.Namespace, screen: Screen) -> int:
    """Say that nothing could be run, where the caller wants it. Return the exit status."""
    if given.not_run is None:
        screen.complain(line)
        return NOT_RUN
    given.not_run.write_text(f"{line}\n")
    return 0


def end(signum: int, frame: FrameType | None) -> NoReturn:
    """End this process as an exception does."""
    sys.exit(128 + signum)


def perform(screen: Screen) -> None:
    """Have an engine, and do everything with it."""
    began = time.monotonic()
    with engine(screen) as docker, tempfile.TemporaryDirectory(prefix="containers-") as folder:
        Run(docker, Compose(docker, Path(folder)), screen).perform()
        variants.perform(docker, Path(folder), screen)
        if docker.stands_in:
            screen.line(UNPROVEN)
    screen.line(f"The containers held, in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    sys.exit(main())
