"""``python -m core.deploy``: bring in a new version of the containers without a pause.

The exit status is 0 if the new version runs, and 1 if it doesn't: the old one does.
"""

import argparse
import fcntl
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from core.deploy.deploy import Deploy
from core.deploy.engine import Engine, find_compose
from core.deploy.errors import DeployError
from core.deploy.log import Log

LOCKED = Path(__file__).parents[2] / "docker-compose.yml"


def main() -> None:
    """Deploy. End with status 1 and a sentence if that fails."""
    given = parser().parse_args()
    signal.signal(signal.SIGTERM, end)  # as Ctrl-C does, so that what was started is taken away
    log = Log()
    try:
        with alone():
            Deploy(Engine(find_compose()), log, given.within).perform()
    except DeployError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    log("done")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m core.deploy", description="Bring in a new version without a pause."
    )
    made.add_argument(
        "--within", type=float, default=180, help="seconds for a container to become healthy: 180"
    )
    return made


def end(signum: int, frame: FrameType | None) -> NoReturn:
    """End this process as an exception does."""
    raise KeyboardInterrupt


@contextmanager
def alone(path: Path = LOCKED) -> Iterator[None]:
    """Keep other deploys of this folder out in the block. Raises DeployError if there is one."""
    with path.open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployError("Another deploy of this folder is under way. Let it end.") from None
        yield


if __name__ == "__main__":
    main()
