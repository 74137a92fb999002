"""All contenders side by side in one run: ``python -m benchmarks [--quick] [--only request,…]``.

Exit status 0 if all marks that were measured are met and no measure failed.
"""

import argparse
import platform
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import marks, report
from benchmarks.bench import Bench, available
from benchmarks.results import Results
from benchmarks.servers import Servers

MEASURES = (
    "request",
    "network",
    "audit",
    "http",
    "outage",
    "latency",
    "startup",
    "drain",
    "growth",
)
PACKAGES = ("Django", "celery", "psycopg", "redis")


def parse_options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer samples: under three minutes")
    parser.add_argument("--out", type=Path, default=Path("var/benchmarks"), help="for the report")
    parser.add_argument("--only", type=names_of(MEASURES), default=list(MEASURES), metavar="NAMES")
    every = available()
    parser.add_argument("--contenders", type=names_of(every), default=every, metavar="NAMES")
    return parser.parse_args()


def names_of(known: Any) -> Any:
    """Reads a comma-separated list of the names that are known."""

    def names(text: str) -> list[str]:
        for name in (chosen := text.split(",")):
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return chosen

    return names


def measure(bench: Bench, names: list[str]) -> tuple[Results, dict[str, float], list[str]]:
    """The results, how many seconds each measure took, and which failed."""
    results, seconds, failed = Results(), {}, []
    for name in names:
        bench.progress(f"== {name}")
        start = time.monotonic()
        try:
            module = import_module(f"benchmarks.measures.{name}")
            results.all.extend(module.measure(bench))
        except Exception:  # noqa: BLE001  # the other measures are worth having
            traceback.print_exc()
            failed.append(name)
        seconds[name] = time.monotonic() - start
    return results, seconds, failed


def describe(bench: Bench, seconds: dict[str, float]) -> dict[str, Any]:
    """What was run, where, and how long each measure took."""
    each = ", ".join(f"{name} {taken:.0f} s" for name, taken in seconds.items())
    return {
        "run": "quick" if bench.quick else "complete",
        "date": datetime.now(UTC).isoformat(" ", "minutes"),
        "took": f"{sum(seconds.values()):.0f} s ({each})",
        "processor": f"{bench.servers.cores} cores, {bench.servers.processor}",
        "system": platform.platform(),
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "PostgreSQL": bench.servers.query("SHOW server_version")[0][0] + ", fsync on",
    }


def main() -> int:
    """Measure, report, and say by the exit status whether the marks are met."""
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    with Servers() as servers:
        bench = Bench(servers, options.contenders, options.quick)
        try:
            results, seconds, failed = measure(bench, options.only)
            run = describe(bench, seconds)
        finally:
            bench.close()
    return write(results, failed, run, options.out)


def write(results: Results, failed: list[str], run: dict[str, Any], folder: Path) -> int:
    """Write and show the report; the exit status."""
    outcomes = marks.judge(results)
    if failed:
        run["failed"] = ", ".join(failed)
    text = report.build(results, outcomes, run)
    (folder / "report.md").write_text(text)
    report.write_json(folder / "results.json", results, outcomes, run)
    from benchmarks.plots import draw_all  # takes a second

    draw_all(results, folder)
    print(text)
    print(f"Written to {folder}: report.md, results.json and the plots.")
    return exit_status(outcomes, failed)


def exit_status(outcomes: list[marks.Outcome], failed: list[str]) -> int:
    """0 if all marks that were measured are met, and no measure failed."""
    return int(bool(failed) or any(outcome.met is False for outcome in outcomes))


if __name__ == "__main__":
    # A Ctrl-C, and what a supervisor sends: servers, workers and their folders go in good order.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
