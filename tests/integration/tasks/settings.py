"""The project's settings, with the library's backend for Django's tasks."""

from typing import Any

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "aftercommit.contrib.tasks"]

TASKS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "aftercommit.contrib.tasks.OutboxBackend",
        "QUEUES": ["default", "slow"],
    },
    "outside": {
        "BACKEND": "aftercommit.contrib.tasks.OutboxBackend",
        "OPTIONS": {"atomic": False},
    },
}
