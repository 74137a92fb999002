"""A project adopts the library as its users do: from the wheel, in three lines."""

import pytest

from core.stack.redis_server import RedisServer
from core.stack.waiting import wait_until
from tests.integration.adoption.project import Project
from tests.integration.program import TIMEOUT


def adopt(project: Project) -> None:
    """Change the first two lines: the app, and the database's backend."""
    settings, engine = "shop/settings.py", "{'ENGINE': '"
    project.change(settings, '+= ["core"]', '+= ["core", "aftercommit"]')
    project.change(settings, f"{engine}django.db.backends.", f"{engine}aftercommit.db.")


def make_all_durable(project: Project) -> None:
    """Change the third line, for all tasks."""
    task_class = 'Celery("shop", task_cls="aftercommit.OutboxTask")'
    project.change("shop/celery.py", 'Celery("shop")', task_class)


def make_one_durable(project: Project) -> None:
    """Change the third line, for one task."""
    tasks, shared = "core/tasks.py", "import shared_task"
    project.change(tasks, shared, f"{shared}\nfrom aftercommit import OutboxTask")
    project.change(tasks, "@shared_task\ndef write", "@shared_task(base=OutboxTask)\ndef write")


@pytest.mark.slow
def test_survives_its_broker(project: Project, broker: RedisServer) -> None:
    """A call that was made while the broker was dead has its effect once the broker is back."""
    adopt(project)
    make_all_durable(project)
    project.migrate()
    assert_clean(project)
    with project.worker() as worker:
        project.order()
        wait_until(lambda: project.count("core.Receipt") == 1, TIMEOUT, "the first effect")
        broker.kill()
        worker.wait_to_say("Connection to broker lost")
        project.order()
        assert project.count("core.Order") == 2
        broker.start()
        wait_until(lambda: project.count("core.Receipt") == 2, TIMEOUT, "the effect of the outage")
        assert worker.lives
    assert project.count("aftercommit.OutboxCall") == 0


@pytest.mark.slow
def test_one_task_at_a_time(project: Project) -> None:
    """Where one task is made durable, a hint names the others, which keep Celery's class."""
    adopt(project)
    make_one_durable(project)
    project.migrate()
    said = assert_clean(project)
    assert "(aftercommit.I010)" in said
    assert "core.tasks.never_called" in said
    assert "core.tasks.write_receipt" not in said
    project.order()
    assert project.count("aftercommit.OutboxCall") == 1
    project.manage("outbox", "drain")
    assert (project.count("core.Receipt"), project.count("aftercommit.OutboxCall")) == (1, 0)


def assert_clean(project: Project) -> str:
    """Assert that Django finds nothing wrong and no migration missing; return what it hints at."""
    said = project.manage("check", "--fail-level", "WARNING")
    assert "WARNINGS" not in said
    assert "aftercommit.context.ContextMiddleware" in said
    project.manage("makemigrations", "--check", "--dry-run")
    return said
