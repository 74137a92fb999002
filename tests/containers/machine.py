"""What a machine needs to run an engine of our own."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.containers.errors import CannotRun

NAMESPACES = ("unshare", "--mount", "--pid", "--net", "--fork", "true")
DNS = "iptables -t nat -A OUTPUT -p udp --dport 53 -j DNAT --to 127.0.0.11:1"
"""A rule as the engine makes them in each container, for its names."""


def check_machine() -> None:
    """Raise CannotRun with the first thing that is missing."""
    missing = [sentence for has, sentence in needs() if not has]
    if missing:
        raise CannotRun(missing[0])


def needs() -> list[tuple[bool, str]]:
    """Return what is needed, each with whether it is there."""
    systems = Path("/proc/filesystems")
    return [
        (systems.exists(), "no engine runs here, and one of our own needs Linux"),
        (os.geteuid() == 0, "no engine runs here, and only root can start one of our own"),
        (
            systems.exists() and "overlay" in systems.read_text(),
            "no engine runs here, and the kernel has no overlay file system for one of our own",
        ),
        (
            shutil.which("apt-get") is not None,
            "no engine runs here, and one of our own comes from Debian's packages (no apt-get)",
        ),
        (succeeds(NAMESPACES), "no engine runs here, and this machine makes no namespaces"),
    ]


def check_iptables(environment: Mapping[str, str]) -> None:
    """Raise CannotRun if a network namespace can't have the rules for the engine's names."""
    if not succeeds(["unshare", "--net", *DNS.split()], environment):
        raise CannotRun("the kernel has no NAT, which the engine needs for its containers' names")


def succeeds(
    command: list[str] | tuple[str, ...], environment: Mapping[str, str] | None = None
) -> bool:
    """Return whether the command exists and ends with 0."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0
