"""Make a virtual environment with the locked packages. Take no time when it is there already.

pip takes a file only if its hash is in ``locked/``. A Django or Celery that is not the pinned one
has no hashes there. pip installs it in a step of its own, and a line says so.

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

LOCKED = Path(__file__).resolve().parent / "locked"
LEVELS = {
    "base": ("base", "stack", "docs", "dev", "bench"),
    "stack": ("stack", "docs", "dev", "bench"),
    "docs": ("docs", "dev"),
    "dev": ("dev",),
    "bench": ("bench",),
    "wheel": ("wheel",),
    "tools": ("tools",),
}
"""The locked files, each with those that hold all that it does."""
PINNED = {"django": ">=5.2,<5.3", "celery": ">=5.7,<5.8"}
"""The ranges that ``django.txt`` and ``celery.txt`` pin. Any other range is resolved when it is
installed."""
WITHOUT_CHOICE = ("wheel", "tools")
"""The levels that need neither Django nor Celery."""
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


def digest(level: str, others: Sequence[str]) -> str:
    """Return what an environment of this level holds, as one short string."""
    parts = [level, *others]
    parts += [path.read_text() for path in sorted(LOCKED.glob("*.txt"))]
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


def is_installed(venv: Path, level: str, others: Sequence[str]) -> bool:
    """Return whether the stamp of this level is that of today's files."""
    stamp = venv / f"installed-{level}"
    return stamp.is_file() and stamp.read_text() == digest(level, others)


def install(venv: Path, level: str, ranges: Mapping[str, str]) -> None:
    """Install the level's packages, unless a stamp says that they are there."""
    others = [f"{name}{versions}" for name, versions in ranges.items() if versions != PINNED[name]]
    if any(is_installed(venv, each, others) for each in LEVELS[level]):
        return
    pinned = [name for name, versions in ranges.items() if versions == PINNED[name]]
    install_locked(venv, [level, *pinned])
    if others:
        install_others(venv, others)
    (venv / f"installed-{level}").write_text(digest(level, others))


def install_locked(venv: Path, names: Sequence[str]) -> None:
    """Install what the locked files name. Let pip choose no package beside them."""
    files = [argument for name in names for argument in ("-r", str(LOCKED / f"{name}.txt"))]
    title = f"Installing the packages of {names[0]}.txt"
    run_step(title, [*pip(venv), "--no-deps", "--require-hashes", *files])


def install_others(venv: Path, others: Sequence[str]) -> None:
    """Install what is not pinned. Fail if a package can't be used with the locked ones."""
    wanted = " and ".join(others)
    show(f"  {wanted}: not the pinned version, so there is no hash to compare the files with")
    run_step(f"Installing {wanted}", [*pip(venv), *others])
    run_step("Comparing the versions", [str(venv / "bin" / "python"), "-m", "pip", "check"])


def pip(venv: Path) -> list[str]:
    """Return the command that installs into this environment."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore"]
    return [str(venv / "bin" / "python"), "-m", "pip", "install", *options]


def main() -> None:
    """Set up the environment that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--level", choices=LEVELS, required=True)
    for name, versions in PINNED.items():
        parser.add_argument(f"--{name}", default=versions)
    options = parser.parse_args()
    folder = os.open(LOCKED, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)  # two makes at once: the second finds the work done
    create(options.venv)
    chosen = [] if options.level in WITHOUT_CHOICE else [*PINNED]
    install(options.venv, options.level, {name: vars(options)[name] for name in chosen})


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("\nStopped. Run the same command again: it goes on from here.")
