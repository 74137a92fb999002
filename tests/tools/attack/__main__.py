"""``python -m tests.tools.attack``: start a copy of the site, attack it, say what held.

The copy has throw-away data, and only this machine reaches it. The exit status is 0 if everything
held, 1 if something did not or could not be tried, 2 if the copy could not be started, and 130
after Ctrl-C.
"""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import django

from core.stack.config import ConfigError, RunConfig
from core.stack.environments import site_environment
from core.stack.interrupt import Interrupt
from core.stack.secret_file import kept_secret
from core.stack.servers import ServerError
from core.stack.stack import Stack
from core.stack.supervisor import Interrupted, StackError
from tests.tools.attack.areas import AREAS
from tests.tools.attack.report import print_report
from tests.tools.demo.progress import QuietConsole, Screen

NOT_STARTED, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the attacks and return the exit status."""
    options = parser().parse_args(arguments)
    screen, interrupt = Screen(), Interrupt()
    with interrupt.listening():
        try:
            return attack(options.only or AREAS, screen, interrupt)
        except (ConfigError, ServerError) as error:
            screen.complain(str(error))
            return NOT_STARTED
        except StackError as error:
            screen.complain(str(error))
            return 1
        except Interrupted:
            screen.line("Interrupted. Everything has stopped, nothing is left behind.")
            return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m tests.tools.attack", description=(__doc__ or "").splitlines()[0]
    )
    made.add_argument(
        "--only", nargs="+", choices=AREAS, metavar="AREA", help=f"some of {', '.join(AREAS)}"
    )
    return made


def attack(areas: Sequence[str], screen: Screen, interrupt: Interrupt) -> int:
    """Attack a copy of the site, and print what held."""
    screen.line("Starting a copy of the site on throw-away data …")
    console = QuietConsole(screen)
    with tempfile.TemporaryDirectory(prefix="aftercommit-attack-") as folder:
        config = configure(Path(folder) / "var")
        with Stack(config, console, interrupt) as stack:
            use_data_of(stack)
            from tests.tools.attack.run import attack_all  # models need the settings of the copy

            results = attack_all(areas, stack, console, screen)
    return print_report(results, screen)


def configure(folder: Path) -> RunConfig:
    """Return a run that counts no forms but those with a limit of their own.

    The attacks send hundreds of other forms in a minute, and want to see what each does.
    """
    config = RunConfig.throw_away(folder, demo_data=False)
    return replace(config, environ={**config.environ, "THROTTLES": "write=off"})


def use_data_of(stack: Stack) -> None:
    """Let this process read and write the copy's data, to prepare an attack and to judge it."""
    secret_key = kept_secret(stack.config.var_dir / "secret_key")
    os.environ.update(site_environment(stack.config, secret_key))
    django.setup()
    logging.getLogger().setLevel(logging.WARNING)  # a line for each request and row


if __name__ == "__main__":
    sys.exit(main())
