"""Say which packages have a newer version, and which are known to be vulnerable.

``make outdated`` runs this. The exit status is 1 if a package is known to be vulnerable, and 3 if
that could not be asked about each package. Without an answer no package is said to be well.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

LOCKED = Path(__file__).resolve().parent / "locked"
PIN = re.compile(r"^([\w.-]+)==([\w.!+]+)", re.MULTILINE)
VULNERABLE, NOT_ASKED = 1, 3


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Python's and return what it printed."""
    return subprocess.run([*command], capture_output=True, text=True, check=False)


def last_line(text: str) -> str:
    """Return the line of an error's text that says the reason."""
    return (text.strip().splitlines() or ["no reason given"])[-1]


def print_newer(python: str) -> bool:
    """Print the packages of an environment that have a newer version. Return False if pip can't."""
    asked = run(python, "-m", "pip", "list", "--outdated", "--disable-pip-version-check")
    if asked.returncode:
        print(f"NOT KNOWN which packages are outdated: {last_line(asked.stderr)}")
        return False
    print(asked.stdout.strip() or "Every package is at its newest version.")
    return True


def find_rounds() -> list[list[str]]:
    """Return the packages of all locked files. pip-audit takes one version of each at a time."""
    versions: dict[str, set[str]] = {}
    for path in sorted(LOCKED.glob("*.txt")):
        for name, version in PIN.findall(path.read_text()):
            versions.setdefault(name, set()).add(f"{name}=={version}")
    sorted_versions = [sorted(each) for _, each in sorted(versions.items())]
    return [[pin for pin in each if pin] for each in zip_longest(*sorted_versions)]


def audit(pins: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Return what pip-audit says about these packages."""
    with NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        options = ("--disable-pip", "--no-deps", "--format", "json", "--progress-spinner", "off")
        return run(sys.executable, "-m", "pip_audit", *options, "-r", file.name)


def read_packages(output: str) -> list[dict[str, Any]]:
    """Return the packages of pip-audit's report, or none if the text is no report."""
    try:
        return list(json.loads(output)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return []


def judge(packages: Sequence[dict[str, Any]]) -> int:
    """Print what pip-audit found. Return the exit status."""
    vulnerable = [each for each in packages if each.get("vulns")]
    not_asked = [each for each in packages if "vulns" not in each]
    for each in vulnerable:
        ids = ", ".join(found["id"] for found in each["vulns"])
        print(f"VULNERABLE: {each['name']} {each['version']}: {ids}")
    if not_asked:
        print(
            f"NOT KNOWN whether {len(not_asked)} of {len(packages)} packages are vulnerable: "
            "the database of vulnerabilities does not answer for them from this machine."
        )
    if not vulnerable and not not_asked:
        print(f"None of the {len(packages)} packages is known to be vulnerable.")
    return VULNERABLE if vulnerable else NOT_ASKED if not_asked else 0


def print_vulnerable() -> int:
    """Print the packages that are known to be vulnerable. Return the exit status."""
    packages: list[dict[str, Any]] = []
    for pins in find_rounds():
        asked = audit(pins)
        if not (found := read_packages(asked.stdout)):
            print(f"NOT KNOWN whether a package is vulnerable: {last_line(asked.stderr)}")
            return NOT_ASKED
        packages += found
    return judge(packages)


def main() -> None:
    """Ask about the environment whose Python the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True)
    newer_known = print_newer(parser.parse_args().python)
    status = print_vulnerable()
    sys.exit(status or (0 if newer_known else NOT_ASKED))


if __name__ == "__main__":
    main()
