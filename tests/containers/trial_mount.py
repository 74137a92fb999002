"""The tasks that the site does not have, given to its containers."""

from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("trial_tasks.py")
WITH_TASKS = ("web", "worker", "beat")
"""The services that make calls of the tasks, run them, and send them."""


def add_tasks(config: dict[str, Any]) -> None:
    """Give the tasks to the services, in the configuration that Compose reads."""
    for name in WITH_TASKS:
        if service := config["services"].get(name):
            words = service.get("command") or []  # of web it is in the image
            if "celery_app" in words:
                words[words.index("celery_app")] = FILE.stem
            place = {"type": "bind", "source": str(FILE), "target": f"/app/{FILE.name}"}
            service["volumes"] = [*service.get("volumes", []), {**place, "read_only": True}]
