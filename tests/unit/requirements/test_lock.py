"""``requirements/lock.py``: each package that is installed has the hashes of its files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements"
HASHES_OF_VINE = re.compile(r"^(vine==\S+) \\\n(?:    --hash.*\n)+", re.MULTILINE)


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """What each command of the Makefile does first."""
    return subprocess.run(
        [sys.executable, str(folder / "lock.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder, to be changed."""
    return Path(shutil.copytree(REQUIREMENTS, tmp_path / "requirements"))


def replace(path: Path, old: str, new: str) -> None:
    """Change one file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_pin_is_locked() -> None:
    """The check needs no network."""
    found = check(REQUIREMENTS)
    assert (found.returncode, found.stderr) == (0, "")


def test_fail_when_a_pin_has_changed(copy: Path) -> None:
    """The sentence names the pin, and the command that mends it."""
    base = copy / "base.txt"
    replace(base, "redis==", "redis==9")
    refused = check(copy)
    assert refused.returncode == 1
    assert refused.stderr.startswith("The files of requirements/ differ. Run make lock.\n")
    version = re.findall(r"^redis==(\S+)", base.read_text(), re.MULTILINE)[0]
    assert f"base.txt pins redis=={version}, locked/base.txt does not." in refused.stderr


def test_fail_when_a_level_above_has_another(copy: Path) -> None:
    """A level's locked file has the pins of those that the level includes."""
    replace(copy / "locked" / "dev.txt", "\nredis==", "\nredis==9")
    assert re.search(r"base.txt pins redis==\S+, locked/dev.txt does not.", check(copy).stderr)


def test_fail_when_a_pin_is_new(copy: Path) -> None:
    """A pin that nobody has locked is not left out."""
    with (copy / "wheel.txt").open("a") as file:
        file.write("New_Package==1.0\n")
    assert "wheel.txt pins new-package==1.0, locked/wheel.txt does not." in check(copy).stderr


def test_fail_when_a_pin_is_gone(copy: Path) -> None:
    """A package that no pin asks for is not installed for ever."""
    replace(copy / "wheel.txt", "build==", "# build==")
    assert re.search(r"locked/wheel.txt has build==\S+, wheel.txt does not.", check(copy).stderr)


def test_fail_without_a_hash(copy: Path) -> None:
    """The one package is named, not only that pip would refuse all."""
    path = copy / "locked" / "celery.txt"
    path.write_text(HASHES_OF_VINE.sub(r"\1\n", path.read_text()))
    assert re.search(r"locked/celery.txt has no hash of vine==", check(copy).stderr)


def test_fail_without_a_locked_file(copy: Path) -> None:
    """All its pins are named."""
    (copy / "locked" / "django.txt").unlink()
    assert "django.txt pins django==" in check(copy).stderr
