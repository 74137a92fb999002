"""A task of which two versions are deployed: ``CODE_VERSION`` in the environment says which."""

import os
from typing import Any

from celery import shared_task

from tests.reliability.tasks import write

NAME = "tests.reliability.versions.take"


def take_old(name: str) -> None:
    """The version that is being replaced."""
    write([name])


def take_new(name: str, date: str) -> None:
    """The version that needs one more argument."""
    write([f"{name} {date}"])


VERSIONS: dict[str, Any] = {"old": take_old, "new": take_new}

take = shared_task(name=NAME)(VERSIONS[os.environ.get("CODE_VERSION", "old")])
