"""Servers from Debian's packages, for everybody: ``apt-get`` downloads them, nothing is installed.

What a package needs and this machine lacks is resolved by apt, with its own settings, and unpacked
into one folder beside the virtual environment. That needs no root, and writes nowhere else.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from core.stack.servers import ServerError
from core.stack.tether import tethered

SERVERS = Path(sys.prefix) / "servers"
"""The folder of all servers, a folder each under its package's name."""

SEARCHED = os.environ.get("PATH", os.defpath)

MOST_SECONDS = 300
"""The longest time that one step of apt takes."""


def unpacked(package: str) -> Path:
    """Return the folder of the package, in which its files are as they would be in ``/``."""
    return SERVERS / package


def libraries(package: str) -> str:
    """Return the folders with the libraries that came with the package, as LD_LIBRARY_PATH.

    Some have folders of their own, in which the programs look by an absolute path: PulseAudio's.
    """
    found = unpacked(package).glob("usr/lib/*-linux-gnu*/**/lib*.so*")
    return os.pathsep.join(sorted({str(each.parent) for each in found}))


def fetch(package: str, *others: str) -> None:
    """Unpack the package, and the others with it, if it isn't yet.

    Raises ServerError, with apt's words, if that can't be done.
    """
    SERVERS.mkdir(exist_ok=True)
    with (SERVERS / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked(package).exists():
            began = time.monotonic()
            _fetch(package, *others)
            seconds = time.monotonic() - began
            print(f"== {package} came from Debian's packages in {seconds:.0f} s", flush=True)


def _fetch(*packages: str) -> None:
    with tempfile.TemporaryDirectory(dir=SERVERS) as name:
        folder = Path(name)
        root = folder / "root"
        root.mkdir()
        for archive in _download(packages, folder):
            _run("dpkg", "--extract", archive, root)
        # It appears at its place complete or not at all.
        root.rename(unpacked(packages[0]))


def _download(packages: Sequence[str], folder: Path) -> Sequence[Path]:
    """Return the archives of the packages and of all that they need and that isn't installed."""
    (folder / "state/lists/partial").mkdir(parents=True)
    (folder / "cache/archives/partial").mkdir(parents=True)
    settings = {
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "Debug::NoLocking": 1,  # Root alone can lock dpkg, and nothing is to be installed.
        "APT::Sandbox::User": "",  # The folder is this user's.
        "APT::Install-Recommends": 0,
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _run("apt-get", *options, "-qq", "update")
    _run("apt-get", *options, "-qq", "--yes", "--download-only", "install", *packages)
    archives = sorted((folder / "cache/archives").glob("*.deb"))
    if not archives:
        raise ServerError(f"apt-get said that {' and '.join(packages)} is installed.")
    return archives


def _run(name: str, *arguments: str | Path) -> None:
    program = shutil.which(name, path=SEARCHED)
    if program is None:
        raise ServerError(f"It can't be fetched without {name}, which is Debian's.")
    try:
        done = subprocess.run(
            tethered([program, *arguments]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{name} took longer than {MOST_SECONDS} s.") from error
    if done.returncode:
        raise ServerError(f"{name} said: {done.stdout.strip()}")
