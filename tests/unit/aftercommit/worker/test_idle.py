"""How long a drain's transaction may be idle, and a connection without a word from its host."""

import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, transaction

from aftercommit.db.vendors import outbox_ops
from aftercommit.outbox.task import find_task
from aftercommit.worker import time_limits
from aftercommit.worker.claim import claim_batch
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.idle import NO_LIMIT, idle_seconds
from aftercommit.worker.lease import Lease
from aftercommit.worker.rows import short_transaction
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

TASK = effects.make_group.name

postgres_only = pytest.mark.only_on("postgres", reason="PostgreSQL's setting")
mysql_only = pytest.mark.only_on("mysql", reason="MySQL's and MariaDB's setting")


def setting(name: str) -> str:
    """Return a setting of the session."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW " + name)
        return str(cursor.fetchone()[0])


class TestSeconds:
    """``idle_seconds``."""

    @pytest.mark.parametrize(
        ("own", "general", "limit"), [(30, 180, 30), (None, 180, 180), (None, None, NO_LIMIT)]
    )
    def test_above_the_limits(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any, own: Any, general: Any, limit: float
    ) -> None:
        """It is more than a drain's time and the time limit that holds for the task together."""
        settings.OUTBOX_DRAIN_SECONDS = 7
        monkeypatch.setattr(effects.make_group, "time_limit", own, raising=False)
        conf = SimpleNamespace(task_time_limit=general)
        monkeypatch.setattr(time_limits, "current_app", SimpleNamespace(conf=conf))
        assert limit + 7 < idle_seconds(TASK) <= limit + 20

    def test_setting(self, settings: Any) -> None:
        """What OUTBOX_IDLE_LIMIT says holds instead."""
        settings.OUTBOX_IDLE_LIMIT = 3
        assert idle_seconds(TASK) == 3


@postgres_only
class TestPostgreSQL:
    """``idle_in_transaction_session_timeout``, of the transaction alone."""

    NAME = "idle_in_transaction_session_timeout"

    @pytest.fixture(autouse=True)
    def _limit(self, settings: Any) -> None:
        settings.OUTBOX_IDLE_LIMIT = 123

    def test_in_a_batch(self) -> None:
        """It holds while the calls run, and is gone after."""
        seen: list[str] = []
        effects.act("a", lambda name: seen.append(setting(self.NAME)))
        effects.make_group.delay_on_commit("a")
        before = setting(self.NAME)
        drain_all()
        assert seen == ["123s"]
        assert setting(self.NAME) == before

    def test_while_an_outside_call_is_marked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It holds while hooks are told of an outside call, whose row is locked then."""
        seen: list[str] = []
        task: Any = find_task(effects.send_outside.name)
        hook = lambda *_: seen.append(setting(self.NAME))  # noqa: E731
        monkeypatch.setattr(type(task), "on_retry", hook, raising=False)
        effects.act("a", lambda name: 1 / 0)
        task.delay_on_commit("a")
        before = setting(self.NAME)
        drain_task(task, "default", 0)
        assert seen == ["123s"]
        assert setting(self.NAME) == before

    def test_batch_taken_for_dead(self) -> None:
        """It holds too if a sweep took the journal."""
        effects.make_group.delay_on_commit("a")
        batch = claim_batch("default", TASK, 10)
        assert batch
        batch.finish()
        with transaction.atomic():
            batch.lock()
            assert setting(self.NAME) == "123s"

    def test_in_a_transaction_of_somebody_else(self) -> None:
        """Whoever drains in a transaction of its own, as a test does, is left without a limit."""
        effects.make_group.delay_on_commit("a")
        before = setting(self.NAME)
        with transaction.atomic():
            assert drain_all().settled == 1
            with short_transaction("default"):
                pass
            assert setting(self.NAME) == before

    def test_no_round_trip(self) -> None:
        """It goes with the lock: a batch is as many statements as without."""
        from tests.unit.aftercommit.observe import statements

        effects.make_group.delay_on_commit("a")
        with statements() as seen:
            drain_all()
        assert not [each for each in seen if "set_config" in each or each.startswith("SET")]

    def test_as_long_as_it_goes(self) -> None:
        """A limit beyond what the server takes is the server's longest."""
        with transaction.atomic():
            outbox_ops(connection).limit_idle(1e9)
            assert setting(self.NAME) != "0"


@mysql_only
class TestMySQL:
    """``wait_timeout``, of the session, once a connection."""

    def wait_timeout(self) -> int:
        """Return the session's."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@SESSION.wait_timeout")
            return int(cursor.fetchone()[0])

    @pytest.mark.parametrize("task", [effects.make_group, effects.send_outside])
    def test_while_draining(self, monkeypatch: pytest.MonkeyPatch, task: Any) -> None:
        """It is above the longest time limit of any task."""
        connection.close()
        monkeypatch.setattr(effects.name_group, "time_limit", 4000, raising=False)
        seen: list[int] = []
        effects.act("a", lambda name: seen.append(self.wait_timeout()))
        task.delay_on_commit("a")
        drain_all()
        assert 4000 < seen[0] < 4100
        connection.close()

    def test_once(self) -> None:
        """The server is told once a connection."""
        from tests.unit.aftercommit.observe import statements

        connection.close()
        with statements() as seen:
            for _ in range(2):
                claim_batch("default", TASK, 10)
                Lease("default", TASK, 60).take()
        assert seen.count("SET") == 1


@postgres_only
def test_connection_without_a_host() -> None:
    """The project's connections notice within seconds that the server's host is gone."""
    connection.ensure_connection()
    ours = socket.socket(fileno=os.dup(connection.connection.fileno()))
    try:
        options = {
            name: ours.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        }
        keepalive = ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    finally:
        ours.close()
    assert keepalive
    assert options == {
        "TCP_KEEPIDLE": 5,
        "TCP_KEEPINTVL": 2,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 6000,
    }
