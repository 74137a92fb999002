"""A worker whose idle connections the database has ended goes on with its next task."""

from contextlib import suppress

import pytest
from django.db import OperationalError, connection
from pytest_celery import CeleryTestSetup

from aftercommit.models import OutboxCall
from content.models import Article
from content.tasks import count_views
from core.stack.waiting import wait_until
from tests.factories import ArticleFactory

TIMES = 3
OTHERS = {
    "postgresql": """
        SELECT pid FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
            AND datname = current_database()
    """,
    "mysql": """
        SELECT id FROM information_schema.processlist
        WHERE id <> connection_id() AND db = database()
    """,
}
"""For each vendor, which connections the database has besides this one."""
END = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}


def end_others() -> None:
    """End all of them; one that has ended by itself meanwhile is no error."""
    with connection.cursor() as cursor:
        cursor.execute(OTHERS[connection.vendor])
        for (number,) in cursor.fetchall():
            with suppress(OperationalError):
                cursor.execute(END[connection.vendor], [number])


@pytest.mark.only_on("postgres", "mysql", reason="only a server has connections to end")
def test_connections_ended_while_idle(celery_setup: CeleryTestSetup) -> None:
    """The process has a new connection before anything of its next task needs one."""
    article = ArticleFactory(published=True)
    worker = celery_setup.worker_cluster.start(1)

    def is_counted(views: int) -> bool:
        counted = Article.objects.get().view_count == views
        return counted and not OutboxCall.objects.exists()

    for views in range(1, TIMES + 1):
        count_views.delay_on_commit(article_id=article.pk)
        wait_until(lambda: is_counted(views), 30, lambda: worker.logs()[-3000:])  # noqa: B023
        end_others()
