"""``python -m tests.tools.chaos``: the system under traffic and faults, and what it lost.

Exit code 0 when nothing was lost, doubled or stuck, 1 when something was, 2 when it could not be
started, 130 after Ctrl-C.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from core.stack.interrupt import Interrupt
from core.stack.servers import ServerError
from core.stack.supervisor import Interrupted
from tests.tools.chaos.report import lines
from tests.tools.chaos.run import Run
from tests.tools.chaos.system import POSTGRES, SQLITE, System
from tests.tools.demo.progress import Screen

NOT_STARTED, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it; the exit code."""
    options = parser().parse_args(arguments)
    screen, interrupt = Screen(), Interrupt()
    folder = Path(tempfile.mkdtemp(prefix="aftercommit-chaos-"))
    try:
        with interrupt.listening():
            return cause_chaos(options, folder, screen, interrupt)
    except Interrupted:
        screen.line("Interrupted. Everything has stopped, nothing is left behind.")
        return INTERRUPTED
    finally:
        if options.keep:
            shutil.copytree(folder, options.keep, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def cause_chaos(
    options: argparse.Namespace, folder: Path, screen: Screen, interrupt: Interrupt
) -> int:
    """Starts the system, breaks it, and shows what came of it."""
    screen.line(f"Starting the system on throw-away data ({options.database}) …")
    system = System(options.database, folder, options.seed)
    with ExitStack() as opening:
        try:
            opening.enter_context(system)
        except (ServerError, TimeoutError, AssertionError) as error:
            screen.complain(str(error))
            return NOT_STARTED
        run = Run(system, options.database, options.minutes * 60, screen.line, interrupt)
        result = run.perform()
    screen.line()
    for line in lines(result):
        screen.line(line)
    return 1 if result.problems else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.tools.chaos", description=(__doc__ or "").splitlines()[0]
    )
    made.add_argument("--minutes", type=positive, default=5.0, help="of traffic (%(default)s)")
    made.add_argument(
        "--seed",
        type=int,
        default=secrets.randbelow(10**6),
        help="of the schedule of operations and faults; another one each time, if not given",
    )
    made.add_argument("--database", choices=(POSTGRES, SQLITE), default=POSTGRES)
    made.add_argument("--keep", type=Path, metavar="FOLDER", help="copy logs and ledgers there")
    return made


def positive(text: str) -> float:
    """A number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


if __name__ == "__main__":
    sys.exit(main())
