"""Whether all is well, as a monitor asks."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.base import BaseHandler
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F
from django.db.models.functions import Now
from django.http import HttpResponse
from django.test import Client
from django.utils.translation import gettext_lazy
from kombu.exceptions import OperationalError as BrokerError

from aftercommit import views
from aftercommit.models import OutboxCall, OutboxWorker
from aftercommit.operations import health, health_checks, probe
from aftercommit.operations.calls import retry_calls
from aftercommit.operations.health import DatabaseHealth, Health, check_health
from aftercommit.operations.health_checks import Findings, health_check
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.ages import in_tens
from tests.unit.aftercommit.calls import MAKE_GROUP, Status, make_call
from tests.unit.aftercommit.observe import statements

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

SECOND = "second"


@pytest.fixture(autouse=True)
def _patient(settings: Any) -> None:
    """A slow machine has its time to answer."""
    settings.OUTBOX_HEALTH_SECONDS = 30


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The health checks of apps: none but those that the test registers."""
    registered: dict[str, Any] = {}
    monkeypatch.setattr(health_checks, "_checks", registered)
    return registered


def make_worker(name: str, age: float = 0) -> None:
    """A worker whose last heartbeat is so many seconds ago."""
    seen_at = Now() - timedelta(seconds=age)
    OutboxWorker.objects.create(name=name, host="web", pid=1, seen_at=seen_at)


def make_due(age: float, **values: Any) -> None:
    """A call that has been due for so many seconds."""
    make_call(available_at=Now() - timedelta(seconds=age), **values)


@contextmanager
def use_database(**config: Any) -> Iterator[str]:
    """A second database in the settings; its connections are closed and forgotten at the end."""
    plain = {"OPTIONS": {}, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False}
    # The site's views know only the databases that there were when they were imported.
    plain |= {"ATOMIC_REQUESTS": False}
    with pytest.MonkeyPatch.context() as patch:
        # Django keeps a test from databases that weren't there when it started.
        patch.setattr(BaseDatabaseWrapper, "ensure_connection", ensure_connection)
        connections.settings[SECOND] = {**connections.settings["default"], **plain, **config}
        yield SECOND
        connections[SECOND].close()
        del connections[SECOND]
        del connections.settings[SECOND]


def ensure_connection(connection: Any) -> None:
    """Connect, as Django does."""
    if connection.connection is None:
        with connection.wrap_database_errors:
            connection.connect()


@pytest.fixture
def second(tmp_path: Path) -> Iterator[str]:
    """A second database, with an outbox."""
    name = str(tmp_path / "second.sqlite3")
    with use_database(ENGINE="aftercommit.db.sqlite3", NAME=name, ATOMIC_REQUESTS=True) as alias:
        call_command("migrate", "aftercommit", database=alias, verbosity=0)
        yield alias


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A second database whose server accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server, server_at(server) as alias:
        yield alias
    probe._probes.pop((SECOND,)).join(30)  # ended by the end of the server


@pytest.fixture
def refusing() -> Iterator[str]:
    """A second database whose server doesn't run."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server_at(server)
    with address as alias:
        yield alias


def server_at(server: socket.socket) -> AbstractContextManager[str]:
    """A second database of a server that listens there."""
    login = {"NAME": "x", "USER": "x", "PASSWORD": "secret"}
    host, port = server.getsockname()
    return use_database(ENGINE="aftercommit.db.postgresql", HOST=host, PORT=port, **login)


class TestAges:
    """The oldest due call of each task."""

    def test_nothing(self) -> None:
        """An empty outbox is fine."""
        assert check_health().as_json() == {
            "ready": True,
            "problems": [],
            "notes": [],
            "databases": {
                "default": {
                    "reachable": True,
                    "tasks": {},
                    "workers": [],
                    "dead": 0,
                    "uncertain": 0,
                    "checks": {},
                }
            },
        }

    def test_within_the_limit(self) -> None:
        """So are calls that have been due for less than the limit, with a worker."""
        make_worker("worker@web")
        make_due(50)
        found = check_health().as_json()
        assert found["problems"] == []
        task = found["databases"]["default"]["tasks"][MAKE_GROUP]
        assert 50 <= task["oldest_age"] < 60
        assert task["max_age"] == 60

    def test_over_the_limit(self) -> None:
        """A call that has been due for longer is a problem, named with its task."""
        make_worker("worker@web")
        make_due(100)
        make_due(50, task=effects.make_groups.name)
        assert list(map(in_tens, check_health().problems)) == [
            f"The oldest due call of {MAKE_GROUP} in 'default' is 100 s old, over the limit of "
            "60 s. See that its worker runs, and what it logs."
        ]

    def test_limit_of_a_task(self, settings: Any) -> None:
        """Each task can have a limit of its own."""
        settings.OUTBOX_MAX_AGE = 10
        settings.OUTBOX_MAX_AGES = {MAKE_GROUP: 200}
        make_worker("worker@web")
        make_due(100)
        assert check_health().problems == []
        make_due(100, task=effects.make_groups.name)
        (problem,) = check_health().problems
        assert problem.startswith(f"The oldest due call of {effects.make_groups.name} in")
        assert "over the limit of 10 s" in problem

    def test_not_due(self) -> None:
        """A call that waits for its time, or for a person, or runs, has no age."""
        make_call(available_at=Now() + timedelta(seconds=100))
        for status in (Status.DEAD, Status.UNCERTAIN, Status.RUNNING):
            make_due(100, status=status)
        assert check_health().problems == []


class TestFailing:
    """Calls that are tried again and again."""

    @pytest.fixture(autouse=True)
    def _worker(self) -> None:
        make_worker("worker@web")

    def make_failing(self, age: float, **values: Any) -> None:
        """Make a call that has failed for so many seconds, and is due in a minute."""
        now = Now()
        values = {"available_at": now + timedelta(seconds=60)} | values
        make_call(failing_since=now - timedelta(seconds=age), **values)

    def test_over_the_limit(self) -> None:
        """A call that is never due for long is a problem all the same once it fails for long."""
        self.make_failing(7200)
        (problem,) = check_health().problems
        assert in_tens(problem).startswith(
            f"A call of {MAKE_GROUP} in 'default' has been tried for 7200 s without success, over "
            "the limit of 1800 s. See its error"
        )
        task = check_health().as_json()["databases"]["default"]["tasks"][MAKE_GROUP]
        assert 7200 <= task["failing_age"] < 7210
        assert (task["oldest_age"], task["max_failing_age"]) == (None, 1800)

    def test_within_the_limit(self) -> None:
        """One whose retries take as long as they do by default is none."""
        self.make_failing(8 * 180)
        assert check_health().problems == []

    def test_runs(self) -> None:
        """One that runs at this moment still counts; one that waits for a person doesn't."""
        self.make_failing(7200, status=Status.RUNNING)
        assert len(check_health().problems) == 1
        for status in (Status.DEAD, Status.UNCERTAIN):
            OutboxCall.objects.update(status=status)
            assert check_health().problems == []

    def test_put_off(self) -> None:
        """A call that was put off on purpose, however long ago, has not failed."""
        hour = timedelta(hours=1)
        make_call(created_at=Now() - hour * 100, available_at=Now() + hour)
        assert check_health().problems == []

    def test_limits(self, settings: Any) -> None:
        """The limit is 30 times that of calls that are due, or one of its own."""
        settings.OUTBOX_MAX_AGES = {MAKE_GROUP: 300}
        self.make_failing(7200)
        assert check_health().problems == []
        settings.OUTBOX_MAX_FAILING_AGE = 7000
        assert len(check_health().problems) == 1

    def test_uncounted(self) -> None:
        """A call that waits for a broker is a problem, as none of its attempts counts."""

        def act(name: str) -> None:
            raise BrokerError("down")

        effects.act("a", act)
        effects.make_group.delay_on_commit("a")
        drain_all()
        OutboxCall.objects.update(failing_since=F("failing_since") - timedelta(hours=1))
        OutboxCall.objects.update(available_at=Now())
        drain_all()
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (Status.PENDING, 0)
        (problem,) = check_health().problems
        assert "has been tried for 3600 s without success" in in_tens(problem)

    def test_retried_by_a_person(self) -> None:
        """A dead letter that a person retries begins anew."""
        make_call(status=Status.DEAD, created_at=Now() - timedelta(days=9), error="It broke.")
        retry_calls(OutboxCall.objects.all())
        assert check_health().problems == []


class TestWorkers:
    """The heartbeats."""

    def test_stale(self) -> None:
        """A worker with an old heartbeat is named, and no problem as long as calls are settled."""
        make_worker("lost@web", 100)
        make_worker("live@web", 10)
        found = check_health()
        assert found.problems == []
        (note,) = found.notes
        assert in_tens(note).startswith(
            "lost@web was last seen in 'default' 100 s ago, over the limit of 30 s. It was killed,"
        )
        lost, live = sorted(found.as_json()["databases"]["default"]["workers"], key=str)[::-1]
        assert (lost["name"], lost["stale"], live["name"], live["stale"]) == (
            *("lost@web", True),
            *("live@web", False),
        )

    @pytest.mark.parametrize("stale", [True, False])
    def test_none_alive(self, stale: bool) -> None:
        """No worker that lives is a problem while a call has been due for as long."""
        if stale:
            make_worker("lost@web", 100)
        make_due(40)
        (problem,) = check_health().problems
        assert in_tens(problem).startswith(
            "No worker lives that settles calls in 'default', and calls have been due for 40 s, "
            "over the limit of 30 s. Start a worker"
        )

    def test_one_alive(self) -> None:
        """One that lives is enough."""
        make_worker("lost@web", 100)
        make_worker("live@web", 10)
        make_due(40)
        assert check_health().problems == []

    def test_none_and_nothing_due(self) -> None:
        """No worker and nothing due, or nothing for long, is no problem: a deploy looks so."""
        assert check_health().problems == []
        make_due(20)
        assert check_health().problems == []


class TestHeld:
    """The calls that wait for a person."""

    def test_counts(self) -> None:
        """Are counted and noted, and no problem: they hold up no other."""
        for status in (Status.DEAD, Status.DEAD, Status.UNCERTAIN):
            make_call(status=status)
        found = check_health()
        assert found.problems == []
        assert [note[:40] for note in found.notes] == [
            "Calls in 'default' that are dead: 2. Loo",
            "Calls in 'default' that are uncertain: 1",
        ]
        database = found.as_json()["databases"]["default"]
        assert (database["dead"], database["uncertain"]) == (2, 1)


class TestChecks:
    """What apps add by checks of their own."""

    def test_findings(self, checks: dict[str, Any]) -> None:
        """Figures, problems and notes are beside those of the outbox."""
        findings = Findings({"failed": 3}, problems=["Mails fail."], notes=["Look at them."])
        checks["mails"] = lambda using: findings
        found = check_health().as_json()
        assert found["databases"]["default"]["checks"] == {"mails": {"failed": 3}}
        assert (found["ready"], found["problems"]) == (False, ["Mails fail."])
        assert found["notes"] == ["Look at them."]

    def test_each_database(self, checks: dict[str, Any], second: str) -> None:
        """Each database is asked about; None says that there is nothing to say of one."""
        checks["mails"] = lambda using: Findings({"in": using}) if using == second else None
        databases = check_health().as_json()["databases"]
        assert (databases["default"]["checks"], databases[second]["checks"]) == (
            {},
            {"mails": {"in": second}},
        )

    def test_reads_the_database(self, checks: dict[str, Any]) -> None:
        """A check sees what is committed, on a connection that is closed after it."""
        seen: list[Any] = []

        def count(using: str) -> Findings:
            seen.append(connections[using])
            return Findings({"workers": OutboxWorker.objects.using(using).count()})

        make_worker("worker@web")
        checks["count"] = count
        figures = check_health().as_json()["databases"]["default"]["checks"]["count"]
        assert figures == {"workers": 1}
        probe._probes["default", "count"].join(30)
        assert [connection.connection for connection in seen] == [None]

    def test_raises(self, checks: dict[str, Any]) -> None:
        """One that raises is a problem with its name; the rest is told of all the same.

        The error's text, which may have secrets in it, is not shown.
        """

        def fail(using: str) -> Findings:
            raise RuntimeError("s3cret")

        checks |= {"broken": fail, "mails": lambda using: Findings({"failed": 3})}
        make_call(status=Status.DEAD)
        found = check_health().as_json()
        assert found["problems"] == [
            "Health check 'broken' of 'default' can't be read: RuntimeError. "
            "See what the log says of it."
        ]
        database = found["databases"]["default"]
        assert database["checks"] == {"broken": {"error": "RuntimeError"}, "mails": {"failed": 3}}
        assert (database["reachable"], database["dead"]) == (True, 1)

    def test_hangs(self, checks: dict[str, Any], settings: Any) -> None:
        """One that hangs is a problem, after the deadline; the outbox is read anew meanwhile."""
        answer = threading.Event()

        def hang(using: str) -> Findings:
            answer.wait(30)
            return Findings({"failed": 3})

        checks["slow"] = hang
        settings.OUTBOX_HEALTH_SECONDS = 1
        try:
            (problem,) = check_health().problems
            assert problem.startswith(
                "Health check 'slow' of 'default' can't be read: no answer within 1 s."
            )
            settings.OUTBOX_HEALTH_SECONDS = 30  # for the outbox; the check's own is over
            looks = probe._probes["default", "slow"]
            looks.started -= 60
            make_call(status=Status.DEAD)
            assert check_health().as_json()["databases"]["default"]["dead"] == 1
            assert probe._probes["default", "slow"] is looks
        finally:
            answer.set()
        looks.join(30)
        found = check_health()
        assert (found.problems, found.as_json()["databases"]["default"]["checks"]) == (
            [],
            {"slow": {"failed": 3}},
        )

    @pytest.mark.parametrize(
        "findings",
        [
            "all is well",
            {"failed": 3},
            Findings({"failed": object()}),  # type: ignore[dict-item]
            Findings({"failed": float("nan")}),
            Findings([1, 2]),  # type: ignore[arg-type]
            Findings(problems="Mails fail."),
            Findings(notes="Look at them."),
            Findings(notes=17),  # type: ignore[arg-type]
        ],
    )
    def test_nonsense(self, checks: dict[str, Any], client: Client, findings: Any) -> None:
        """One that returns what can't be told of is a problem, and no error of the page."""
        checks["odd"] = lambda using: findings
        response = client.get("/readyz")
        assert response.status_code == 503
        (problem,) = response.json()["problems"]
        assert problem.startswith("Health check 'odd' of 'default' can't be read: ")

    def test_lazy_sentences(self, checks: dict[str, Any]) -> None:
        """Sentences may be translated lazily."""
        sentence: Any = gettext_lazy("Look at them.")
        checks["mails"] = lambda using: Findings(notes=[sentence])
        assert check_health().notes == ["Look at them."]

    def test_fail_twice(self, checks: dict[str, Any]) -> None:
        """Two checks of one name are refused where the second is registered."""

        def check(using: str) -> Findings | None:
            return None

        assert health_check("mails")(check) is check
        with pytest.raises(ValueError, match="There is a health check 'mails' already"):
            health_check("mails")(check)


class TestDatabases:
    """Several databases, and such as fail."""

    def test_each(self, second: str) -> None:
        """Each is looked at."""
        make_worker("worker@web")
        effects.make_group.using(second).delay_on_commit("x")
        found = check_health().as_json()
        assert found["databases"]["default"]["tasks"] == {}
        assert list(found["databases"][second]["tasks"]) == [MAKE_GROUP]

    def test_worker_of_another(self, second: str, settings: Any) -> None:
        """A worker that lives in one database doesn't vouch for another."""
        settings.OUTBOX_STALE_WORKER = 1e-9
        make_worker("worker@web", -100)
        effects.make_group.using(second).delay_on_commit("x")
        (problem,) = check_health().problems
        assert problem.startswith(f"No worker lives that settles calls in {second!r}")

    def test_refusing(self, refusing: str) -> None:
        """One that can't be reached is a problem; the others are told of all the same.

        Its error's text, which has addresses and names in it, is not shown.
        """
        make_call(status=Status.DEAD)
        found = check_health()
        assert found.problems == [
            f"Database {refusing!r} can't be read: OperationalError. "
            "See that its server runs and that migrations are applied."
        ]
        databases = found.as_json()["databases"]
        assert (databases[refusing]["reachable"], databases["default"]["reachable"]) == (
            False,
            True,
        )
        assert databases["default"]["dead"] == 1

    def test_black_hole(self, black_hole: str, settings: Any) -> None:
        """One that doesn't answer is a problem after the deadline, not a hanging check.

        The next check doesn't wait again, nor start another look.
        """
        settings.OUTBOX_HEALTH_SECONDS = 1
        started = time.monotonic()
        (problem,) = check_health().problems
        assert time.monotonic() - started < 10
        assert problem.startswith(f"Database {black_hole!r} can't be read: no answer within 1 s.")
        looks = [t for t in threading.enumerate() if t.name == f"outbox-health-{black_hole}"]
        assert check_health().problems == [problem]
        now = [t for t in threading.enumerate() if t.name == f"outbox-health-{black_hole}"]
        assert (len(looks), now) == (1, looks)

    def test_found_again(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        """One that has answered late is asked anew at the next check."""
        settings.OUTBOX_HEALTH_SECONDS = 0.05
        answer = threading.Event()

        def wait(alias: str) -> DatabaseHealth:
            answer.wait(30)
            return DatabaseHealth(alias)

        monkeypatch.setattr(DatabaseHealth, "read", wait)
        assert len(check_health().problems) == 1
        answer.set()
        probe._probes["default",].join(30)
        settings.OUTBOX_HEALTH_SECONDS = 30
        assert check_health() == Health([DatabaseHealth("default")])

    def test_no_query_a_row(self) -> None:
        """As many statements for thirty calls and workers as for one."""
        make_due(10)
        make_call(status=Status.DEAD)
        make_worker("worker@web")
        with statements() as few:
            DatabaseHealth.read("default")
        for number in range(29):
            make_due(10)
            make_call(status=Status.DEAD)
            make_worker(f"worker{number}@web")
        with statements() as many:
            DatabaseHealth.read("default")
        assert many == few


class TestEndpoints:
    """``/healthz`` and ``/readyz``."""

    def test_live(self, client: Client) -> None:
        """Answers 200 and asks no database, whatever the state of the outbox."""
        make_due(1000)
        with statements() as seen:
            response = client.get("/healthz")
        assert (response.status_code, response.content) == (200, b"ok\n")
        assert seen == []

    def test_live_without_database(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor does it need one."""

        def fail(*args: Any) -> None:
            raise AssertionError("The database was asked.")

        monkeypatch.setattr(type(connections["default"]), "ensure_connection", fail)
        monkeypatch.setattr(health, "check_health", fail)
        assert client.get("/healthz").status_code == 200

    def test_ready(self, client: Client) -> None:
        """Answers 200 with the figures if there is no problem, outside any transaction."""
        make_call(status=Status.DEAD)
        with statements() as seen:
            response = client.get("/readyz")
        assert response.status_code == 200
        assert response.json() == check_health().as_json()
        assert response.json()["databases"]["default"]["dead"] == 1
        assert seen == []  # the request's own connection has nothing to do with it

    def test_not_ready(self, client: Client) -> None:
        """Answers 503 and says what the problem is."""
        make_due(100)
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["ready"] is False
        assert len(response.json()["problems"]) == 2

    def test_database_hangs(self, client: Client, black_hole: str, settings: Any) -> None:
        """Answers 503 within the deadline when a database doesn't answer."""
        settings.OUTBOX_HEALTH_SECONDS = 1
        started = time.monotonic()
        response = client.get("/readyz")
        assert time.monotonic() - started < 10
        assert response.status_code == 503
        assert response.json()["databases"][black_hole]["reachable"] is False

    def test_no_details(self, client: Client, refusing: str) -> None:
        """Tells a stranger neither addresses nor passwords."""
        text = client.get("/readyz").content.decode()
        assert "127.0.0.1" not in text
        assert "secret" not in text

    def test_several_databases(self, second: str) -> None:
        """Stay outside the transactions of all databases, not of the default one only."""
        assert connections.settings[second]["ATOMIC_REQUESTS"]
        view = views.outside_transactions(lambda request: HttpResponse())
        assert BaseHandler().make_view_atomic(view) is view

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_reading_only(self, client: Client, path: str) -> None:
        """Is read only, and never cached."""
        assert client.post(path).status_code == 405
        assert client.head(path).status_code == 200
        assert "no-store" in client.get(path)["Cache-Control"]
