"""A server that is restarted while web and workers are connected."""

from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from content.models import Article
from core.stack.postgres_server import PostgresServer
from tests.factories import ArticleFactory
from tests.plugins.servers import OWN_POSTGRES
from tests.reliability import tasks
from tests.reliability.conftest import Gate, StartWeb, StartWorker
from tests.reliability.database.calls import NAMES, check_untouched
from tests.reliability.database.faults import postgres_only
from tests.reliability.state import TIMEOUT, journals, left, wait_settled, written
from tests.wait import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), postgres_only]


class TestRestart:
    """A server that is restarted while everybody is connected."""

    @pytest.fixture
    def server(self, request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
        """The server of the run; running after the test, whatever happens."""
        server = request.config.stash.get(OWN_POSTGRES, None)
        if server is None:
            pytest.fail("TEST_DATABASE_URL names a server that a test can't stop. Leave it unset.")
        server.chosen_port = server.port  # clients have the address: come back there or fail
        connection.close()
        yield server
        connection.close()
        if not server.running:
            server.start()

    def test_idle(
        self, start_web: StartWeb, start_worker: StartWorker, server: PostgresServer
    ) -> None:
        """Web and worker have connections again as soon as it is back, and lose nothing."""
        article: Article = ArticleFactory(published=True)
        web = start_web()
        worker = start_worker(2)

        def views() -> int:
            return Article.objects.values_list("view_count", flat=True).get()

        for before in range(3):
            assert web.get(article.get_absolute_url()) == 200
            wait_for(lambda: views() == before + 1, TIMEOUT, lambda: left() + worker.logs())  # noqa: B023  # not kept
            connection.close()
            server.stop()
            server.start()
        assert web.get(article.get_absolute_url()) == 200
        wait_for(lambda: views() == 4, TIMEOUT, lambda: left() + worker.logs())
        wait_settled()

    def test_in_an_effect(
        self, start_worker: StartWorker, gate: Gate, server: PostgresServer
    ) -> None:
        """The effect is had once; it is no crash of the process that had it half done."""
        worker = start_worker(point="in the effect")
        with transaction.atomic():
            for name in NAMES:
                tasks.write_batch.delay_on_commit(name=name)
        gate.wait_reached()
        connection.close()
        server.stop()
        server.start()
        # Its process, at the gate, knows nothing of it. A sweep has looked when no journal is left.
        wait_for(lambda: not journals(), TIMEOUT, lambda: left() + worker.logs())
        check_untouched(len(NAMES))
        gate.open()
        wait_settled()
        assert written() == NAMES
