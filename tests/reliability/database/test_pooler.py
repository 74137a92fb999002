"""PgBouncer in transaction mode in front of the database: no session is kept for the next one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.db import OperationalError, connection, connections, transaction

from aftercommit.db.postgresql.pooler import is_pooled
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.database_errors import is_transient
from aftercommit.worker.drain import drain_task
from core.stack.servers import ServerError
from core.stack.waiting import wait_until
from tests.reliability.database.faults import postgres_only
from tests.reliability.state import TIMEOUT
from tests.tools.servers.pgbouncer import PgBouncerServer
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), postgres_only]

TASKS = [effects.make_group, effects.make_groups, effects.name_group, effects.send_outside]
"""One for each way in which a worker settles calls."""

THREADS = 6
"""More than the pooler has connections."""


@pytest.fixture
def pooler(monkeypatch: pytest.MonkeyPatch) -> Iterator[PgBouncerServer]:
    """Return PgBouncer, through which each thread's connection goes."""
    try:
        server = PgBouncerServer(connection.settings_dict, query_wait_timeout=2)
    except ServerError as error:
        pytest.skip(f"Not shown: that PgBouncer works. {error}")
    connection.close()
    with server:
        monkeypatch.setitem(connections.settings["default"], "HOST", "127.0.0.1")
        monkeypatch.setitem(connections.settings["default"], "PORT", server.port)
        monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        monkeypatch.setitem(connection.settings_dict, "PORT", server.port)
        yield server
        connection.close()


def in_threads(*functions: Callable[[], object]) -> None:
    """Call the functions at the same time, each with a connection of its own."""

    def call(function: Callable[[], object]) -> None:
        try:
            function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        for each in [pool.submit(call, function) for function in functions]:
            each.result()


def is_drained(task: Any) -> bool:
    """Drain once more. Return whether no call is left."""
    drain_task(task, "default")
    return not OutboxCall.objects.exists()


@pytest.mark.parametrize("proxy", TASKS, ids=["each", "batch", "statement", "outside"])
@pytest.mark.usefixtures("pooler")
def test_calls(proxy: Any) -> None:
    """Each call that committed has its effect once, and none of another does."""
    task: Any = find_task(proxy.name)

    def write(thread: int) -> None:
        for number in range(10):
            with transaction.atomic():
                Group.objects.create(name=f"row {thread}-{number}")
                proxy.delay_on_commit(name=f"{thread}-{number}")
                transaction.set_rollback(number % 5 == 0)

    in_threads(*(lambda each=each: write(each) for each in range(THREADS)))  # type: ignore[misc]
    assert OutboxCall.objects.count() == THREADS * 8
    in_threads(*(lambda: drain_task(task, "default") for _ in range(THREADS)))
    # On a busy machine a thread can wait too long for a connection. What it left is put off.
    wait_until(lambda: is_drained(task), TIMEOUT, "the calls that were put off")
    names = [name for name in effects.names() if not name.startswith("row")]
    done = effects.received if proxy is effects.send_outside else names
    expected = {f"{each}-{number}" for each in range(THREADS) for number in range(10) if number % 5}
    assert sorted(done) == sorted(expected)
    assert not OutboxBatch.objects.exists()


@pytest.mark.usefixtures("pooler")
def test_what_a_transaction_sets_ends_with_it() -> None:
    """The next one has the server's own settings, whichever session it gets."""
    proxy = effects.make_group
    proxy.delay_on_commit(name="a")
    drain_task(find_task(proxy.name), "default")
    with connection.cursor() as cursor:
        for name, value in (
            ("synchronous_commit", "on"),
            ("statement_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
        ):
            for _ in range(8):
                cursor.execute(f"SHOW {name}")
                assert cursor.fetchone() == (value,)


@pytest.mark.usefixtures("pooler")
def test_the_check_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks the database through the connection that the settings describe."""
    assert is_pooled(connection)

    def ids() -> list[str | None]:
        return [each.id for each in run_checks(tags=["aftercommit"], databases=["default"])]

    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", False)
    assert "aftercommit.W006" in ids()
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    assert "aftercommit.W006" not in ids()


def test_no_connection_left(pooler: PgBouncerServer) -> None:
    """Who waits too long for one is told by a code that a worker takes for an outage."""
    size = 4
    others = [connection.copy() for _ in range(size)]
    try:
        for other in others:
            other.inc_thread_sharing()
            other.set_autocommit(False)
            other.cursor().execute("SELECT 1")
        with pytest.raises(OperationalError, match="query_wait_timeout") as raised:
            Group.objects.exists()
        assert is_transient(raised.value)
    finally:
        for other in others:
            other.close()
        connection.close()
    assert pooler.running


def test_killed(pooler: PgBouncerServer) -> None:
    """A transaction that was open is rolled back with its calls. The next one is as ever."""
    with pytest.raises(OperationalError), transaction.atomic():
        Group.objects.create(name="lost")
        effects.make_group.delay_on_commit(name="a")
        pooler.kill()
        Group.objects.create(name="lost, too")
    connection.close()
    pooler.chosen_port = pooler.port
    pooler.start()
    effects.make_group.delay_on_commit(name="b")
    drain_task(find_task(effects.make_group.name), "default")
    assert effects.names() == ["b"]
