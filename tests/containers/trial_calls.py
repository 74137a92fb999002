"""Calls of the tasks that the site does not have: made in a web server, and asked after by SQL."""

from collections import Counter

from tests.containers.compose import Compose

LOG, GO = "/var/lib/aftercommit/trial.log", "/var/lib/aftercommit/trial.go"
MAKE = """
import django
django.setup()
from django.db import transaction
from content.models import Product
import trial_tasks
with transaction.atomic():
    Product.objects.get_or_create(name={name!r}, defaults={{"price": 1}})
    for task in {tasks!r}:
        getattr(trial_tasks, task).delay_on_commit({name!r}, {seconds!r})
"""


class TrialCalls:
    """Calls with one name. Their effects are counted under it."""

    def __init__(self, compose: Compose, name: str) -> None:
        self.compose = compose
        self.name = name

    def make(self, *tasks: str, seconds: float = 0) -> None:
        """Make a call of each task, in one transaction."""
        code = MAKE.format(name=self.name, tasks=tasks, seconds=seconds)
        inside = ("exec", "--env", "DJANGO_SETTINGS_MODULE=core.settings", "--interactive")
        self.compose.docker(*inside, self.compose.container("web"), "python", "-", given=code)

    def effects(self) -> int:
        """Return how many effects in the database there are."""
        sql = "SELECT stock FROM content_product WHERE name = :'name'"
        return int(ask(self.compose, sql, name=self.name))

    def left(self, task: str) -> Counter[str]:
        """Return how many calls of the task are left, by status."""
        sql = "SELECT status FROM aftercommit_outboxcall WHERE task = 'trial_tasks.' || :'task'"
        return Counter(ask(self.compose, sql, task=task).split())

    def notes(self) -> list[str]:
        """Return what the calls have noted, each with the name of its host."""
        lines = self._inside("sh", "-c", f"touch {LOG}; cat {LOG}").splitlines()
        return [line for line in lines if f" {self.name} " in line]

    def go(self) -> None:
        """Let all calls end that wait for it, now and later."""
        self._inside("touch", GO)

    def stay(self) -> None:
        """Have calls wait again."""
        self._inside("rm", "--force", GO)

    def discard(self, task: str) -> None:
        """Discard the dead letters of the task."""
        command = ("python", "manage.py", "outbox", "discard", "--yes", "--task")
        web = self.compose.container("web")
        self.compose.docker("exec", web, *command, f"trial_tasks.{task}")

    def _inside(self, *words: str) -> str:
        """Return what a command writes that sees the files of the site."""
        return self.compose.docker("exec", self.compose.container("beat"), *words)


def ask(compose: Compose, sql: str, **values: str) -> str:
    """Return what the database answers. The SQL has a value as ``:'its_name'``."""
    inside = ("exec", "--interactive", compose.container("postgres"))
    psql = ("psql", "--host", "/var/run/postgresql", "--username", "aftercommit", "-At")
    given = (word for name, value in values.items() for word in ("--set", f"{name}={value}"))
    return compose.docker(*inside, *psql, *given, given=sql)
