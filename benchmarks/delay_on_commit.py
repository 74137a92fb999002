"""What the contenders have in common that use Celery's workers, and its ``delay_on_commit``."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


def worker(app: str, processes: int) -> list[str]:
    """The command line of one Celery worker, by the module of its application."""
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", app]
    return [*celery, "worker", "--concurrency", str(processes), "--loglevel", "ERROR"]


class DelayOnCommit(Contender):
    """A Celery application, and ``delay_on_commit`` of its tasks."""

    app = ""
    """The module of the application."""

    tasks_module = ""
    """The module of the tasks."""

    def set_up(self) -> None:
        """The application, with the shop's tasks."""
        import_module(self.app)
        self.tasks = import_module(self.tasks_module)

    def add_effects(self, item: "Item", effects: int) -> None:
        """One call an effect."""
        for task in self.tasks.effects[:effects]:
            task.delay_on_commit(item_id=item.pk, title=item.title)

    def add(self, kind: str, number: int) -> None:
        """One call."""
        self.tasks.kinds[kind].delay_on_commit(item_id=number)

    def workers(self, processes: int) -> list[list[str]]:
        """One Celery worker."""
        return [worker(self.app, processes)]
