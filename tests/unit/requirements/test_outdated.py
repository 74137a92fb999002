"""``requirements/outdated.py``: it never says that all is well if it could not ask."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

OUTDATED = Path(__file__).resolve().parents[3] / "requirements" / "outdated.py"
FINE = {"name": "fine", "version": "1.0", "vulns": []}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}
SKIPPED = {"name": "skipped", "skip_reason": "Dependency not found"}


def ask(folder: Path, output: str, newer: str = "0") -> subprocess.CompletedProcess[str]:
    """Run it with a pip-audit that prints this, and a pip that ends so."""
    (folder / "pip_audit.py").write_text(f"print({output!r})")
    pip = folder / "python"
    pip.write_text(f"#!/bin/sh\necho no network >&2\nexit {newer}\n")
    pip.chmod(0o755)
    return subprocess.run(
        [sys.executable, str(OUTDATED), "--python", str(pip)],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def report(*packages: object) -> str:
    """What pip-audit prints."""
    return json.dumps({"dependencies": packages, "fixes": []})


def test_all_is_well(tmp_path: Path) -> None:
    """Said only if each package was asked about."""
    asked = ask(tmp_path, report(FINE, FINE))
    assert asked.returncode == 0
    newer, vulnerable = asked.stdout.splitlines()
    assert newer == "Every package is at its newest version."
    assert re.fullmatch(r"None of the \d+ packages is known to be vulnerable\.", vulnerable)


def test_vulnerable(tmp_path: Path) -> None:
    """The package and the names of what is known."""
    asked = ask(tmp_path, report(FINE, BAD, SKIPPED))
    assert asked.returncode == 1
    assert "VULNERABLE: bad 2.0: PYSEC-1, PYSEC-2" in asked.stdout
    assert re.search(r"NOT KNOWN whether \d+ of \d+ packages are", asked.stdout)


@pytest.mark.parametrize("output", [report(FINE, SKIPPED), report(), "", "{}", "[]", "not JSON"])
def test_not_asked(tmp_path: Path, output: str) -> None:
    """pip-audit itself calls a package that it could not ask about well."""
    asked = ask(tmp_path, output)
    assert asked.returncode == 3
    assert "NOT KNOWN whether" in asked.stdout
    assert "None of" not in asked.stdout


def test_newer_versions_not_asked(tmp_path: Path) -> None:
    """pip's reason is given."""
    asked = ask(tmp_path, report(FINE), newer="1")
    assert asked.returncode == 3
    assert "NOT KNOWN which packages are outdated: no network" in asked.stdout
