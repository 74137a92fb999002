"""Make a virtual environment with the pinned packages. Take no time when it is there already.

Run by the Makefile with the Python that the environment is to be built on. Uses nothing but the
standard library. A stamp in the environment says what was installed, so that a second run only
compares two strings.
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
LEVELS = {
    "base": ("base", "stack", "docs", "dev", "bench"),
    "stack": ("stack", "docs", "dev", "bench"),
    "docs": ("docs", "dev"),
    "dev": ("dev",),
    "bench": ("bench",),
    "wheel": ("wheel",),
}
"""The requirement files, each with those that hold all that it does."""
PINNED = {"django": ">=5.2,<5.3", "celery": ">=5.7,<5.8"}
"""The ranges that ``django.txt`` and ``celery.txt`` pin. Any other range is resolved when it is
installed."""
TICK = 1 if sys.stdout.isatty() else 15
"""Seconds between two signs of life on the screen, or in a log."""


def fail(message: str) -> NoReturn:
    """End the run with one sentence."""
    sys.exit(message)


def show(text: str, end: str = "\n") -> None:
    """Print a step. On a terminal, print it over the line that said it was going on."""
    print(f"\r\033[K{text}" if sys.stdout.isatty() else text, end=end, flush=True)


def run_step(title: str, command: Sequence[str]) -> None:
    """Run a command with its elapsed time on the screen. Print its output only if it fails."""
    start = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as process:
        output = wait_with_progress(process, title, start)
    if process.returncode:
        print(output, file=sys.stderr)
        fail(f"{title} failed: see the lines above.")
    show(f"  {title}: {time.monotonic() - start:.0f} s")


def wait_with_progress(process: subprocess.Popen[str], title: str, start: float) -> str:
    """Return the command's output once it has ended."""
    while True:
        try:
            return process.communicate(timeout=TICK)[0]
        except subprocess.TimeoutExpired:
            end = "" if sys.stdout.isatty() else "\n"
            show(f"  {title} … {time.monotonic() - start:.0f} s", end=end)


def environment() -> dict[str, str]:
    """Return this process's environment without what shows another Python's packages."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}


def digest(level: str, packages: Sequence[str]) -> str:
    """Return what an environment of this level holds, as one short string."""
    parts = [level, *packages]
    parts += [path.read_text() for path in sorted(HERE.glob("*.txt"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def interpreter() -> str:
    """Return which Python the environment is built on."""
    return f"{sys.version}\n{os.path.realpath(sys.executable)}\n"


def create(venv: Path) -> None:
    """Make an empty environment, unless one of this very Python is there and runs."""
    record = venv / "interpreter"
    python = venv / "bin" / "python"
    if record.is_file() and record.read_text() == interpreter() and os.access(python, os.X_OK):
        return
    run_step(f"Creating {venv.name}", [sys.executable, "-m", "venv", "--clear", str(venv)])
    record.write_text(interpreter())


def is_installed(venv: Path, level: str, packages: Sequence[str]) -> bool:
    """Return whether the stamp of this level is that of today's files."""
    stamp = venv / f"installed-{level}"
    return stamp.is_file() and stamp.read_text() == digest(level, packages)


def install(venv: Path, level: str, packages: Sequence[str]) -> None:
    """Install the level's packages, unless a stamp says that they are there."""
    if any(is_installed(venv, each, packages) for each in LEVELS[level]):
        return
    stamp = venv / f"installed-{level}"
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore"]
    python = str(venv / "bin" / "python")
    run_step(
        f"Installing the packages of {level}.txt",
        [python, "-m", "pip", "install", *options, "-r", str(HERE / f"{level}.txt"), *packages],
    )
    stamp.write_text(digest(level, packages))


def chosen_packages(level: str, ranges: Mapping[str, str]) -> list[str]:
    """Return pip's arguments for Django and Celery. What builds the wheel needs neither."""
    if level == "wheel":
        return []
    return [argument for name in PINNED for argument in choose_package(name, ranges[name])]


def choose_package(name: str, versions: str) -> list[str]:
    """Return pip's arguments for one package: its file, or a range that no file pins."""
    return ["-r", str(HERE / f"{name}.txt")] if versions == PINNED[name] else [f"{name}{versions}"]


def main() -> None:
    """Set up the environment that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--level", choices=LEVELS, required=True)
    for name, versions in PINNED.items():
        parser.add_argument(f"--{name}", default=versions)
    options = parser.parse_args()
    folder = os.open(HERE, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # two makes at once: the second finds the work done
    create(options.venv)
    install(options.venv, options.level, chosen_packages(options.level, vars(options)))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("\nStopped. Run the same command again: it goes on from here.")
