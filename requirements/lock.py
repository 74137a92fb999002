"""Write ``locked/``: every package that the pins bring, with the hashes of all its files.

``make lock`` runs this after a pin has changed. With ``--check`` it compares the two, offline and
with nothing but the standard library. Each command of the Makefile does that before it installs.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
LOCKED = HERE / "locked"
CHOSEN = ("django", "celery")
"""What ``make test DJANGO=... CELERY=...`` replaces. No other locked file has these packages."""
LEVELS = ("base", "stack", "docs", "dev", "bench", "wheel", "tools")
"""The files with all that their packages need. A file comes after the one that it includes."""
ALONE = ("engines", "celery_outbox", "kubernetes")
"""The files whose packages are installed without what they need."""
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==([\w.!+]+)", re.MULTILINE)
INCLUDED = re.compile(r"^-r (\w+)\.txt", re.MULTILINE)
BLOCK = re.compile(r"^[\w.-]+==.*(?:\n[ \t].*)*", re.MULTILINE)
COMPILE = (
    *("uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"),
    *("--python-version", "3.11", "--no-header", "--no-emit-index-url"),
)


class Pin(NamedTuple):
    """A package and the version that a file asks for."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def find_pins(text: str) -> list[Pin]:
    """Return the pins of a file, with the names as all tools compare them."""
    return [
        Pin(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in PIN.findall(text)
    ]


def read(name: str) -> str:
    """Return the text of the file that a person writes."""
    return (HERE / f"{name}.txt").read_text()


def read_locked(name: str) -> str:
    """Return the text of the file that ``make lock`` writes, or "" if it is not there."""
    path = LOCKED / f"{name}.txt"
    return path.read_text() if path.exists() else ""


def compare(name: str) -> list[str]:
    """Return a sentence for each pin that the locked file lacks, or has and should not have."""
    blocks = BLOCK.findall(read_locked(name))
    bare = [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    found = [f"locked/{name}.txt has no hash of {package}." for package in bare]
    for source in find_sources(name):
        pins = set(find_pins(read(source)))
        named = [block for block in blocks if f"-r {source}.txt" in block]
        locked = {pin for block in named for pin in find_pins(block)}
        found += [f"{source}.txt pins {pin}, locked/{name}.txt does not." for pin in pins - locked]
        found += [f"locked/{name}.txt has {pin}, {source}.txt does not." for pin in locked - pins]
    return found


def find_sources(name: str) -> list[str]:
    """Return the file and those that it includes, directly or by another."""
    included = INCLUDED.findall(read(name))
    return [name, *(source for each in included for source in find_sources(each))]


def options_of(name: str) -> list[str]:
    """Return the options of uv that this file needs."""
    if name not in LEVELS:
        return ["--no-deps"]
    constraints = [f"--constraint={each}.txt" for each in CHOSEN]
    constraints += [f"--constraint=locked/{each}.txt" for each in INCLUDED.findall(read(name))]
    chosen = [pin.name for each in CHOSEN for pin in find_pins(read(each))]
    return [*constraints, *(f"--no-emit-package={package}" for package in chosen)]


def lock(name: str) -> None:
    """Write one locked file. Packages that no pin names keep their versions where they can."""
    LOCKED.mkdir(exist_ok=True)
    output = f"locked/{name}.txt"
    command = [sys.executable, "-m", *COMPILE, *options_of(name), f"{name}.txt", "-o", output]
    if subprocess.run(command, cwd=HERE, check=False, stdout=subprocess.DEVNULL).returncode:
        sys.exit(f"requirements/{name}.txt can't be locked: see the lines above.")
    print(f"  requirements/{output}")


def check(name: str) -> None:
    """End the program if the file and its locked one differ."""
    if differences := compare(name):
        lines = "\n".join(f"  {each}" for each in sorted(differences))
        sys.exit(f"The files of requirements/ differ. Run make lock.\n{lines}")


def main() -> None:
    """Write the locked files, or say which pins differ from the first that differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    names = (*CHOSEN, *LEVELS, *ALONE)
    act = check if parser.parse_args().check else lock
    for name in names:
        act(name)


if __name__ == "__main__":
    main()
