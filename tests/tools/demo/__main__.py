"""``python -m tests.tools.demo``: starts everything, has users do things, shows what came of each.

Exit code 0 when every effect happened exactly once, 1 when one didn't or the system failed, 2 when
it could not be started, 130 after Ctrl-C.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.stack.config import ConfigError, RunConfig
from core.stack.interrupt import Interrupt
from core.stack.servers import ServerError
from core.stack.stack import Stack
from core.stack.supervisor import Interrupted, StackError
from tests.tools.demo.databases import POSTGRES, SQLITE, DatabaseError, throw_away_database
from tests.tools.demo.progress import QuietConsole, Screen
from tests.tools.demo.run import Run

NOT_STARTED, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; the exit code."""
    options = parser().parse_args(arguments)
    screen, interrupt = Screen(), Interrupt()
    with interrupt.listening():
        try:
            return demonstrate(options, screen, interrupt)
        except (ConfigError, ServerError, DatabaseError) as error:
            screen.complain(str(error))
            return NOT_STARTED
        except StackError as error:
            screen.complain(str(error))
            return 1
        except Interrupted:
            screen.line("Interrupted. Everything has stopped, nothing is left behind.")
            return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.tools.demo", description=(__doc__ or "").splitlines()[0]
    )
    made.add_argument(
        "--followers",
        type=follower_count,
        default=12,
        metavar="N",
        help="readers who sign up and follow (default: %(default)s)",
    )
    made.add_argument(
        "--database",
        default=SQLITE,
        metavar=f"{SQLITE}|{POSTGRES}|URL",
        help="what to run on: a file (the default), a PostgreSQL server of our own, or a new "
        "database on the server that the address names, dropped afterwards",
    )
    return made


def follower_count(text: str) -> int:
    """The number of followers; at least one, and at most what signs up within minutes."""
    if not text.isdecimal() or not 1 <= int(text) <= 500:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 500, got {text!r}")
    return int(text)


def demonstrate(options: argparse.Namespace, screen: Screen, interrupt: Interrupt) -> int:
    """Starts the system, has the story told, stops the system and shows the table."""
    begin = time.monotonic()
    screen.line(f"Starting the whole system on throw-away data ({described(options.database)}) …")
    with (
        tempfile.TemporaryDirectory(prefix="aftercommit-demo-") as folder,
        throw_away_database(options.database) as url,
    ):
        config = RunConfig.throw_away(Path(folder), url)
        # The demo's users do in a second what people do in an hour. They wait for each mail.
        ours = {"THROTTLES": "off", "NOTIFICATIONS_DIGEST_SECONDS": "0.1"}
        config = replace(config, environ={**config.environ, **ours})
        console = QuietConsole(screen)
        with Stack(config, console, interrupt) as stack:
            screen.done("The system is up", f"{time.monotonic() - begin:.1f} s")
            run = Run(stack, screen, options.followers)
            run.perform()
    for line in run.report(console):
        screen.line(line)
    return 0 if run.succeeded else 1


def described(database: str) -> str:
    """The database, for a person to read; never the address, which has a password in it."""
    names = {SQLITE: "SQLite", POSTGRES: "a PostgreSQL server of its own"}
    return names.get(database, "a new database on the PostgreSQL server given")


if __name__ == "__main__":
    sys.exit(main())
