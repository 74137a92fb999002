"""The database restarts, cuts connections, is full, busy, too slow or at odds with itself."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string

from content.models import Article, Comment, Product
from core.models import OutboxCall
from core.outbox.drain import drain_all, drain_task
from core.outbox.task import OutboxTask, find_task
from core.stack.postgres_server import PostgresServer
from tests.factories import ArticleFactory, UserFactory
from tests.plugins.servers import OWN_POSTGRES
from tests.reliability import tasks
from tests.reliability.conftest import Gate, StartWeb, StartWorker
from tests.reliability.state import TIMEOUT, journals, left, wait_settled, written
from tests.unit.core import effects
from tests.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

PENDING, DEAD = OutboxCall.Status.PENDING, OutboxCall.Status.DEAD
NAMES = ["a", "b", "c"]
TASKS = {"single": effects.make_group, "batch": effects.make_groups}

either = pytest.mark.parametrize("kind", TASKS)
postgres_only = pytest.mark.skipif(
    "'postgres' not in config.getoption('--database')", reason="SQLite has no server"
)
sqlite_only = pytest.mark.skipif(
    "config.getoption('--database') != 'sqlite'", reason="only a file has one writer"
)


@pytest.fixture(autouse=True)
def _fresh(transactional_db: None) -> Iterator[None]:
    """Each test starts with tasks that succeed, and leaves no connection that it broke."""
    effects.reset()
    yield
    connection.close()


@pytest.fixture
def other() -> Iterator[BaseDatabaseWrapper]:
    """A second connection to the test's database."""
    wrapper: BaseDatabaseWrapper = connection.copy()
    wrapper.inc_thread_sharing()  # the test's threads take turns
    yield wrapper
    wrapper.close()


def run(wrapper: BaseDatabaseWrapper, sql: str, *parameters: Any) -> Any:
    """The first column of the statement's first row, if it has any."""
    with wrapper.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchone()[0] if cursor.description else None


def call_each(kind: str = "single", names: list[str] = NAMES) -> None:
    """Commit a call for each name, in one transaction."""
    with transaction.atomic():
        for name in names:
            TASKS[kind].delay_on_commit(name=name)


def the_task(proxy: Any) -> OutboxTask:
    """The task itself."""
    found = find_task(proxy.name)
    assert found
    return found


def check_untouched(count: int) -> None:
    """So many calls wait, none of which has an attempt or a crash to its name; no journal is."""
    rows = OutboxCall.objects.values_list("status", "attempts", "crashes")
    assert list(rows) == [(PENDING, 0, 0)] * count
    assert not journals()


def once(function: Callable[[], object]) -> Callable[..., None]:
    """The function for its first call; any other does nothing."""
    left = [function]

    def act(*args: Any) -> None:
        if left:
            left.pop()()

    return act


def around(
    patch: pytest.MonkeyPatch, path: str, when: str, act: Callable[[], object]
) -> Callable[[], None]:
    """Act before or after each call of the function at the path; nothing is, until it is armed."""
    original = import_string(path)
    armed: list[bool] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        if armed and when == "before":
            act()
        value = original(*args, **kwargs)
        if armed and when == "after":
            act()
        return value

    patch.setattr(path, call)
    return lambda: armed.append(True)


@postgres_only
class TestCut:
    """A connection that the server ends."""

    @pytest.fixture
    def cut(self, other: BaseDatabaseWrapper) -> Callable[[], None]:
        """End the thread's own connection, as an administrator does from another."""

        def cut() -> None:
            pid = run(connection, "SELECT pg_backend_pid()")
            assert run(other, "SELECT pg_terminate_backend(%s, 10000)", pid)

        return cut

    STEPS = {
        "after the claim": ("after", "core.outbox.drain.claim_batch"),
        "in the effect": None,
        "before the settlement": ("before", "core.outbox.drain.settle_done"),
        "at COMMIT": ("before", "core.db.hook.sure_callbacks"),
    }

    @either
    @pytest.mark.parametrize("step", STEPS)
    def test_in_a_drain(
        self, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None], kind: str, step: str
    ) -> None:
        """The batch is run again on a new connection: each effect is had once."""
        if where := self.STEPS[step]:
            arm = around(monkeypatch, where[1], where[0], once(cut))
            effects.act("b", lambda name: arm())
            if step == "after the claim":
                arm()
        else:
            effects.act("b", once(cut))
        call_each(kind)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (3, 0, 0)
        assert effects.names() == NAMES
        assert not OutboxCall.objects.exists()
        assert not journals()

    @either
    def test_before_the_claim(
        self, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None], kind: str
    ) -> None:
        """A drain that can't claim leaves all to the next one."""
        around(monkeypatch, "core.outbox.drain.claim_batch", "before", once(cut))()
        call_each(kind)
        with suppress(OperationalError):
            drain_all()
        drain_all()
        assert effects.names() == NAMES
        assert not journals()

    @either
    def test_each_time(self, cut: Callable[[], None], kind: str) -> None:
        """One that cuts its connection at every try is a dead letter in the end, by no crash."""
        effects.act("a", lambda name: cut())
        call_each(kind, ["a"])
        for _ in range(5):
            with suppress(OperationalError):
                drain_task(the_task(TASKS[kind]), "default")
            connection.close_if_unusable_or_obsolete()
        row = OutboxCall.objects.get()
        assert (row.status, row.crashes) == (DEAD, 0)
        assert "terminating connection" in row.error
        assert not journals()

    @either
    def test_always_by_one(self, cut: Callable[[], None], kind: str) -> None:
        """A call that is cut at every try doesn't keep its neighbours from being settled."""
        effects.act("b", lambda name: cut())
        call_each(kind)
        for _ in range(3):
            with suppress(OperationalError):
                drain_task(the_task(TASKS[kind]), "default")
            connection.close_if_unusable_or_obsolete()
        assert effects.names() == ["a", "c"]

    def test_answer_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A COMMIT that succeeded, but whose answer was lost, is not done again."""
        wrapper = type(connections["default"])
        commit = wrapper.commit
        lost: list[bool] = []

        def commit_and_break(self: BaseDatabaseWrapper) -> None:
            commit(self)
            if lost:
                lost.clear()
                self.connection.close()  # type: ignore[union-attr]  # psycopg's own
                raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(wrapper, "commit", commit_and_break)
        effects.act("c", lambda name: lost.append(True))
        call_each()
        drain_all()
        assert effects.names() == NAMES
        assert effects.received == NAMES
        assert not OutboxCall.objects.exists()
        assert not journals()

    @pytest.mark.parametrize("step", ["in the effect", "after the effect"])
    def test_outside_effect(
        self, monkeypatch: pytest.MonkeyPatch, cut: Callable[[], None], step: str
    ) -> None:
        """A mail that was sent is marked as sent on a new connection."""
        if step == "in the effect":
            effects.act("a", lambda name: cut())
        else:
            around(monkeypatch, "core.outbox.drain.rows_of", "before", once(cut))()
        effects.send_outside.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, effects.received) == (1, ["a"])
        assert not OutboxCall.objects.exists()

    def test_outside_effect_fails(self, cut: Callable[[], None]) -> None:
        """One that fails for the lack of a connection is tried again, not uncertain."""

        def act(name: str) -> None:
            cut()
            Group.objects.exists()

        effects.act("a", once(lambda: act("a")))
        effects.send_outside.delay_on_commit("a")
        report = drain_all()
        assert (report.settled, report.retried) == (1, 1)
        assert not OutboxCall.objects.exists()


@postgres_only
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


@postgres_only
class TestConflicts:
    """Transactions that can't both be."""

    @pytest.fixture
    def products(self) -> tuple[int, int]:
        """Two rows for which transactions fight, without a call about them."""
        tasks.write(["first", "second"])
        first, second = Product.objects.order_by("pk").values_list("pk", flat=True)
        return first, second

    @either
    def test_deadlock(self, other: BaseDatabaseWrapper, products: Any, kind: str) -> None:
        """The victim of a deadlock is run again; that is no attempt."""
        first, second = products
        take = "UPDATE content_product SET stock = stock + 1 WHERE id = %s"
        watching: BaseDatabaseWrapper = connection.copy()

        def take_and_commit() -> None:
            run(other, take, first)
            other.commit()

        finished = threading.Thread(target=take_and_commit)

        def meet() -> None:
            run(connection, take, first)
            finished.start()
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: run(watching, waits), TIMEOUT, "the other to wait for this one")
            run(connection, "SET LOCAL deadlock_timeout = '10ms'")
            run(connection, take, second)
            pytest.fail("no deadlock")

        other.set_autocommit(False)
        run(other, "SET deadlock_timeout = '60s'")
        run(other, take, second)
        effects.act("b", once(meet))
        call_each(kind)
        try:
            report = drain_all()
        finally:
            finished.join(TIMEOUT)
            watching.close()
        assert (report.settled, report.retried) == (3, 0)
        assert effects.names() == NAMES
        assert list(Product.objects.values_list("stock", flat=True)) == [1, 1]

    @either
    @pytest.mark.parametrize("level", ["repeatable read", "serializable"])
    def test_serialization_failure(
        self, other: BaseDatabaseWrapper, products: Any, kind: str, level: str
    ) -> None:
        """So is one whose snapshot is out of date."""
        change = "UPDATE content_product SET stock = stock + 1 WHERE id = %s"
        overtaken = once(lambda: run(other, change, products[0]))

        def act(name: str) -> None:
            overtaken()
            run(connection, change, products[0])

        effects.act("b", act)
        call_each(kind)
        run(connection, f"SET default_transaction_isolation = '{level}'")
        try:
            report = drain_all()
        finally:
            connection.close()
        assert (report.settled, report.retried) == (3, 0)
        assert effects.names() == NAMES
        assert effects.received.count("b") == 2
        assert Product.objects.get(pk=products[0]).stock == 2

    def test_many_drains(self) -> None:
        """Drains that meet at REPEATABLE READ settle each call once; none is an attempt."""
        call_each("single", [str(number) for number in range(300)])
        group = the_task(effects.make_group)
        errors: list[Exception] = []

        def drain() -> None:
            run(connection, "SET default_transaction_isolation = 'repeatable read'")
            try:
                drain_task(group, "default")
            except Exception as error:  # noqa: BLE001  # the test looks at it
                errors.append(error)
            finally:
                connection.close()

        before, group.batch_size = group.batch_size, 10
        try:
            threads = [threading.Thread(target=drain) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT)
        finally:
            group.batch_size = before
        assert errors == []
        assert sorted(effects.names(), key=int) == [str(number) for number in range(300)]
        assert not OutboxCall.objects.exists()


class TestFull:
    """An outbox that can't be written to."""

    @pytest.fixture
    def reader(self, client: Client) -> Client:
        """A client that is logged in, and has an article to read."""
        client.force_login(UserFactory())
        ArticleFactory(published=True)
        OutboxCall.objects.all().delete()
        return client

    def refuse(self, sqlstate: str) -> None:
        """Have the server refuse rows in the outbox as it does with this error."""
        run(
            connection,
            f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{sqlstate}';
            END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON core_outboxcall
                FOR EACH ROW EXECUTE FUNCTION refuse();
            """,
        )

    @pytest.fixture(params=["53100", "25006"])
    def _refused(self, reader: Client, request: pytest.FixtureRequest) -> Iterator[None]:
        """The disk is full, or the database read-only, when it comes to the outbox."""
        self.refuse(request.param)
        yield
        run(connection, "DROP FUNCTION refuse CASCADE")

    @postgres_only
    @pytest.mark.usefixtures("_refused")
    def test_request(self, reader: Client) -> None:
        """The request fails as one, with the database's error, and the next one isn't affected."""
        article: Article = Article.objects.get()
        address = reverse("comment-create", args=[article.slug])
        with pytest.raises(DatabaseError, match="could not extend file"):
            reader.post(address, {"text": "Well said."})
        assert not connection.in_atomic_block
        assert not Comment.objects.exists()
        assert reader.get(reverse("article-list")).status_code == 200

    @postgres_only
    @pytest.mark.usefixtures("_refused")
    def test_outside_a_request(self) -> None:
        """So does a save on its own, and a call outside a transaction."""
        with pytest.raises(DatabaseError, match="could not extend file"):
            Product.objects.create(name="lamp", price=1)
        with pytest.raises(DatabaseError, match="could not extend file"):
            effects.make_group.delay_on_commit("a")
        assert not Product.objects.exists()

    @postgres_only
    def test_drain(self) -> None:
        """A drain whose effects don't fit on the disk leaves its calls for later, as they are."""
        call_each()
        self.refuse("53100")
        run(connection, "ALTER TABLE core_outboxcall DISABLE TRIGGER refuse")
        run(
            connection,
            "CREATE TRIGGER refuse BEFORE INSERT ON auth_group "
            "FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        try:
            with suppress(OperationalError):
                drain_task(the_task(effects.make_group), "default")
        finally:
            run(connection, "DROP FUNCTION refuse CASCADE")
        check_untouched(3)

    def fill(self, patch: pytest.MonkeyPatch, pages_left: int) -> None:
        """Let the file grow by so many pages and no more, for any connection that is made."""
        run(connection, "VACUUM")
        pages = run(connection, "PRAGMA page_count") + pages_left
        options = connection.settings_dict["OPTIONS"]
        limited = f"{options['init_command']}; PRAGMA max_page_count = {pages}"
        patch.setitem(options, "init_command", limited)
        connection.close()

    @sqlite_only
    def test_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A transaction whose calls don't fit into the file fails as one."""
        self.fill(monkeypatch, 10)
        with (
            pytest.raises(OperationalError, match="database or disk is full"),
            transaction.atomic(),
        ):
            Group.objects.create(name="fits")
            effects.make_group.delay_on_commit("a" * 1_000_000)
        assert effects.names() == []
        assert not OutboxCall.objects.exists()

    @sqlite_only
    def test_file_in_a_drain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A drain whose effects don't fit into it leaves its calls for later, as they are."""
        effects.act("a", lambda name: tasks.write(["x" * 1_000_000]))
        call_each()
        self.fill(monkeypatch, 20)
        with suppress(OperationalError):
            drain_task(the_task(effects.make_group), "default")
        rows = OutboxCall.objects.filter(payload__contains='"a"').values_list("status", "attempts")
        assert list(rows) == [(PENDING, 0)]
        assert not journals()


@postgres_only
class TestTimeout:
    """Statements that take too long."""

    @either
    def test_call(self, kind: str) -> None:
        """It is an attempt of its call; the others settle."""

        def act(name: str) -> None:
            run(connection, "SET LOCAL statement_timeout = '50ms'")
            run(connection, "SELECT pg_sleep(10)")

        effects.act("b", act)
        call_each(kind)
        report = drain_all()
        assert (report.settled, report.retried, report.dead) == (2, 2, 1)
        assert effects.names() == ["a", "c"]
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (DEAD, 3)
        assert "canceling statement due to statement timeout" in row.error

    def test_request(self, other: BaseDatabaseWrapper) -> None:
        """A transaction whose calls can't be written in time fails as one."""
        other.set_autocommit(False)
        run(other, "LOCK TABLE core_outboxcall IN EXCLUSIVE MODE")
        with (
            pytest.raises(OperationalError, match="statement timeout"),
            transaction.atomic(),
        ):
            run(connection, "SET LOCAL statement_timeout = '200ms'")
            Group.objects.create(name="fits")
            effects.make_group.delay_on_commit("a")
        other.rollback()
        assert effects.names() == []
        assert not OutboxCall.objects.exists()


@sqlite_only
class TestBusy:
    """A file that somebody else writes to for longer than one waits."""

    @pytest.fixture
    def busy(
        self, monkeypatch: pytest.MonkeyPatch, other: BaseDatabaseWrapper
    ) -> Iterator[Callable[[], None]]:
        """Hold the write lock, for which this thread waits no more than an instant."""
        connection.close()
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.05)

        def hold() -> None:
            other.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)

        yield hold
        self.release(other)
        connection.close()

    def release(self, other: BaseDatabaseWrapper) -> None:
        """Let others write."""
        if not other.get_autocommit():
            other.rollback()
            other.set_autocommit(True)

    def test_request(self, busy: Callable[[], None], other: BaseDatabaseWrapper) -> None:
        """A transaction that doesn't get its turn fails as one, and the next succeeds."""
        busy()
        with pytest.raises(OperationalError, match="database is locked"):
            call_each()
        self.release(other)
        assert not OutboxCall.objects.exists()
        call_each()
        assert drain_all().settled == 3

    @either
    def test_claim(self, busy: Callable[[], None], other: BaseDatabaseWrapper, kind: str) -> None:
        """A drain that can't claim leaves its calls as they are."""
        call_each(kind)
        busy()
        with pytest.raises(OperationalError, match="database is locked"):
            drain_task(the_task(TASKS[kind]), "default")
        self.release(other)
        check_untouched(3)
        assert drain_all().settled == 3

    @either
    def test_batch(
        self,
        monkeypatch: pytest.MonkeyPatch,
        busy: Callable[[], None],
        other: BaseDatabaseWrapper,
        kind: str,
    ) -> None:
        """One that can't go on after the claim is no attempt and, once it can, no crash."""
        call_each(kind)
        around(monkeypatch, "core.outbox.drain.claim_batch", "after", once(busy))()
        with suppress(OperationalError):
            drain_task(the_task(TASKS[kind]), "default")
        self.release(other)
        rows = OutboxCall.objects.values_list("attempts", "crashes")
        assert set(rows) <= {(0, 0)}
        drain_all()
        assert effects.names() == NAMES
