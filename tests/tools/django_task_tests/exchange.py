"""Django's tests with the library's backend in the place of Django's."""

import re
from pathlib import Path

BACKENDS = {"DummyBackend": "StoredBackend", "ImmediateBackend": "DrainedBackend"}
OURS = "tests.tools.django_task_tests.project.backends"

BACKPORT = (
    (r"\bdjango\.tasks\b", "django_tasks"),
    (r"\bInvalidTaskBackend\b", "InvalidTaskBackendError"),
    (r"\bInvalidTask\b", "InvalidTaskError"),
    (
        r"from django_tasks import Task, ",
        "from django_tasks.base import Task\nfrom django_tasks import ",
    ),
    (r"support async Tasks\.", "support async tasks."),
)
"""The names and words that the package django-tasks has for those of Django."""


def exchange(text: str, is_backport: bool) -> str:
    """Return a module of Django's tests, changed to test the library's backend.

    A test that has no database gets one, and no app is taken away from a test.
    """
    for theirs, ours in BACKENDS.items():
        module = rf"django\.tasks\.backends\.{theirs.removesuffix('Backend').lower()}"
        text = re.sub(rf"from {module} import {theirs}", f"from {OURS} import {ours}", text)
        text = re.sub(rf"{module}\.{theirs}", f"{OURS}.{ours}", text)
        text = re.sub(rf"\b{theirs}\b", ours, text)
    base = r"from django\.tasks\.backends\.base import BaseTaskBackend"
    text = re.sub(base, "from aftercommit.contrib.tasks import OutboxBackend", text)
    text = re.sub(r"\bBaseTaskBackend\b", "OutboxBackend", text)
    text = re.sub(r"\bSimpleTestCase\b", "TransactionTestCase", text)
    text = text.replace(
        "import TransactionTestCase, TransactionTestCase,", "import TransactionTestCase,"
    )
    text = text.replace("available_apps = []", "available_apps = None")
    for theirs, package in BACKPORT if is_backport else ():
        text = re.sub(theirs, package, text)
    return text


def exchange_all(source: Path, target: Path, is_backport: bool) -> None:
    """Write the changed modules of the folder ``source`` into ``target``."""
    target.mkdir()
    for path in source.glob("*.py"):
        (target / path.name).write_text(exchange(path.read_text(), is_backport))
