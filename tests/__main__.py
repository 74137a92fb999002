"""Run the tests on each database that is here: ``python -m tests``, or all with ``--all``.

``make test`` runs every test but the slow ones on PostgreSQL, and on the others what differs there.
``make test-all`` runs every test on every database. What follows is pytest's:
``python -m tests -k drain``.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from tests.plugins import preflight
from tests.plugins.markers import DIFFERS

CORES = os.cpu_count() or 1
PROCESSES = 3 * CORES
"""Three for each core, since a test that waits for a worker leaves its core to others. What differs
between databases needs no workers: one for each core."""

SELECTED = {"postgres": "not slow"}
FEW_EXAMPLES = ("STATEFUL_EXAMPLES", "25")
"""How many random histories ``make test`` tries on each database: 100 take a minute."""

NO_TESTS = 5
"""The exit status of pytest when no test was selected."""


def command(database: str, everything: bool, arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs the tests on the database."""
    selected = SELECTED.get(database, DIFFERS)
    which = [] if everything else ["-m", selected]
    processes = CORES if selected == DIFFERS and not everything else PROCESSES
    run = [sys.executable, "-m", "pytest", f"--database={database}"]
    return [*run, "-n", str(processes), "--dist", "worksteal", *which, *arguments]


def run_on(database: str, everything: bool, arguments: Sequence[str]) -> bool:
    """Run the tests on the database. Return whether they passed."""
    print(f"== Tests on {database}", flush=True)
    began = time.monotonic()
    status = subprocess.run(command(database, everything, arguments), check=False).returncode
    print(f"== {database} took {time.monotonic() - began:.0f} s", flush=True)
    return status == 0 or (status == NO_TESTS and bool(arguments))


def compile_tests() -> subprocess.Popen[bytes]:
    """Begin to compile all tests once, so that not every process has to.

    Pytest rewrites their assertions, which takes 4 s of one core. It keeps what it has compiled
    beside the sources, unless it is told to keep nothing.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-qq"]
    return subprocess.Popen(collect, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def main() -> None:
    """Run the tests, and end with a sentence that names the databases on which some failed."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--all", action="store_true", help="run every test on every database")
    options, arguments = parser.parse_known_args()
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    if not options.all:
        os.environ.setdefault(*FEW_EXAMPLES)
    with compile_tests():
        databases = preflight.databases(fetches=options.all)
    failed = [each for each in databases if not run_on(each, options.all, arguments)]
    if failed:
        sys.exit(f"Tests failed on: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
