"""Send slow clients to a site of this machine, and show what its visitors noticed."""

import argparse
import sys

from tests.tools.slow_clients.trials import try_slow_clients


def main() -> int:
    """Return 0 if every visitor had an answer each time, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.slow_clients", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--seconds", type=float, default=8, help="for each attack")
    parser.add_argument("--times", type=int, default=1, help="so many times the clients")
    given = parser.parse_args()
    held = True
    for trial in try_slow_clients(given.port, seconds=given.seconds, times=given.times):
        print(trial, flush=True)
        held = held and trial.withstood
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
