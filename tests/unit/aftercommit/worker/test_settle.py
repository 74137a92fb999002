"""How a failure is recorded: whatever it is, the call's row leaves the head of its queue."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import exceptions
from celery.exceptions import Reject
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from aftercommit.call import Call
from aftercommit.context import Context, use
from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker import drain
from aftercommit.worker import outcome as outcomes
from aftercommit.worker.drain import drain_all, drain_task
from aftercommit.worker.loading import load_calls, rows_of
from aftercommit.worker.settle import settle_failed
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.faults import deadlock

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

Retry: Any = exceptions.Retry  # its stub has fewer types than authors give

PENDING, DEAD = OutboxCall.Status.PENDING, OutboxCall.Status.DEAD

KINDS = {
    "single": effects.make_group,
    "batch": effects.make_groups,
    "outside": effects.send_outside,
}


class Weird(Exception):
    """An error whose attributes and texts raise."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    @property
    def when(self) -> Any:
        """Raise."""
        raise RuntimeError("no time")

    sqlstate = pgcode = sqlite_errorcode = max_retries = payload = when


class Asking(Exception):
    """An error whose text is made by a query, which fails."""

    def __str__(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")
        return "never"


class Outage(Exception):
    """An error whose text is made by a query of another database, which is away."""

    def __str__(self) -> str:
        raise OperationalError("no other server")


def error_with(**values: Any) -> Exception:
    """Return an error with these attributes."""
    error = ValueError("poison")
    for name, value in values.items():
        setattr(error, name, value)
    return error


def note(error: Exception, text: str) -> Exception:
    """Return the error with a note."""
    error.add_note(text)
    return error


def caused(cause: BaseException) -> Exception:
    """Return an error with this cause."""
    error = ValueError("poison")
    error.__cause__ = cause
    return error


def deep(depth: int) -> BaseException:
    """Return a group in a group in a group."""
    error: Exception = ValueError("poison")
    for _ in range(depth):
        error = ExceptionGroup("group", [error])
    return error


STRANGE: dict[str, BaseException] = {
    "surrogate": ValueError("no file \udc80"),
    "surrogate in a note": note(ValueError("poison"), "no file \udc80"),
    "surrogate in a cause": caused(OSError("no file \udc80")),
    "surrogate in a group": ExceptionGroup("\udc80", [ValueError("\udfff")]),
    "surrogate in arguments": KeyError("\udc80", b"\xff"),
    "NUL": ValueError("a\x00b"),
    "no text": Weird(),
    "text by a query": Asking(),
    "text of a server that is away": Outage(),
    "no Exception": asyncio.CancelledError(),
    "own limit": error_with(max_retries="many"),
    "own SQLSTATE": error_with(sqlstate=40001),
    "notes": error_with(__notes__=5),
    "deep group": deep(500),
    "long": ValueError("x" * 1_000_000),
    "no time": Retry("", None, "soon"),
    "not a number": Retry("", None, float("nan")),
    "list": Retry("", None, []),
}


class TestStrangeErrors:
    """Errors that are hard to write down."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("name", STRANGE)
    def test_is_an_attempt(self, kind: str, name: str) -> None:
        """It is an attempt of its call, and the calls before and behind it are settled."""

        def act(_: str) -> None:
            raise STRANGE[name]

        effects.act("bad", act)
        with transaction.atomic():
            for each in ("a", "bad", "b"):
                KINDS[kind].delay_on_commit(name=each)
        for _ in range(3):
            drain_task(found(KINDS[kind]), "default")
        row = OutboxCall.objects.get()
        assert '"bad"' in row.payload
        assert row.attempts >= 1
        assert type(STRANGE[name]).__name__ in row.error
        assert {"a", "b"} <= set(effects.received)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("name", STRANGE)
    def test_ends(self, kind: str, name: str) -> None:
        """In the end the call is a dead letter, also by a ``Retry`` that no ``retry()`` made."""

        def act(_: str) -> None:
            raise STRANGE[name]

        effects.act("bad", act)
        KINDS[kind].delay_on_commit(name="bad")
        OutboxCall.objects.update(attempts=2)
        drain_task(found(KINDS[kind]), "default")
        row = OutboxCall.objects.get()
        assert (row.status, row.attempts) == (DEAD, 3)


def found(proxy: Any) -> Any:
    """Return the task itself."""
    task = find_task(proxy.name)
    assert task
    return task


def fail(error: BaseException, attempts: int = 0, **options: Any) -> OutboxCall:
    """Settle a call of a task with these options as failed, and return its row."""
    return fail_call(make_call(attempts), error, **options)


def make_call(attempts: int = 0) -> Call:
    """Store a call, and return it as a drain has it."""
    with use(Context(request_id="7f3a")):
        effects.make_group.delay_on_commit("x")
    rows = OutboxCall.objects.order_by("-pk")[:1]
    OutboxCall.objects.filter(pk=rows[0].pk).update(attempts=attempts)
    return load_calls("default", rows)[0]


def fail_call(call: Call, error: BaseException, **options: Any) -> OutboxCall:
    """Settle the call as failed, and return its row."""
    task = SimpleNamespace(name=call.task, **options)
    with transaction.atomic():
        outcome = settle_failed(rows_of(call), call, task, error)
    row = OutboxCall.objects.get(pk=call.pk)
    assert row.status == outcome.status
    return row


class TestText:
    """The text in the row."""

    def test_long(self) -> None:
        """Of a long text both ends remain, and what the error is."""
        error = ValueError("first words\n" + "x" * 1_000_000 + "\nlast words")
        text = fail(error).error
        assert len(text) < 21_000
        assert "ValueError: first words" in text
        assert text.endswith("last words")
        assert "characters left out" in text

    def test_long_traceback(self) -> None:
        """So do both ends of a long traceback, with the error's own text at the end."""
        groups = [ValueError("y" * 10_000) for _ in range(100)]
        try:
            raise ExceptionGroup("many", groups) from KeyError("first")
        except ExceptionGroup as error:
            text = fail(caused(error)).error
        assert len(text) < 21_000
        assert text.startswith("KeyError: 'first'")
        assert text.endswith("ValueError: poison")

    @pytest.mark.parametrize(
        ("text", "stored"), [("a\udc80b", "a\\udc80b"), ("a\x00b", "a\\x00b"), ("äß€😀", "äß€😀")]
    )
    def test_characters(self, text: str, stored: str) -> None:
        """What no database can hold is written as Python writes it, all else as it is."""
        assert fail(ValueError(text)).error.endswith(f"ValueError: {stored}")

    def test_note(self, caplog: pytest.LogCaptureFixture) -> None:
        """What could not be recorded, and why, is in the text and in the log."""
        row = fail(ValueError("poison"), default_retry_delay="soon", retry_backoff=False)
        assert "ValueError: poison" in row.error
        assert row.error.splitlines()[-1].startswith(
            "This failure could not be put off as its task says: TypeError: The time of the next "
            "attempt is 'soon'. Expected a number of seconds"
        )
        (logged,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        assert logged.exc_info
        assert "'soon'" in logged.getMessage()


class TestTime:
    """The time of the next attempt."""

    @pytest.mark.parametrize(
        "when",
        [
            datetime.max,
            datetime.max.replace(tzinfo=UTC),
            "9999-12-31T23:59:59Z",
            1e12,
            1e300,
            10**400,
            float("inf"),
            timedelta.max,
        ],
    )
    def test_far(self, when: Any, client: Client) -> None:
        """A time that nobody can wait for is one that the database and the pages can show."""
        row = fail(Retry("", None, when))
        assert row.available_at.year - timezone.now().year in (99, 100)
        user = get_user_model().objects.create_superuser("admin", "a@example.com", "secret")
        client.force_login(user)
        page = reverse("admin:aftercommit_outboxcall_changelist")
        assert client.get(page).status_code == 200

    @pytest.mark.parametrize(
        "when",
        [-5, float("-inf"), datetime.min, "1900-01-01", timezone.now() - timedelta(days=1)],
    )
    def test_over(self, when: Any) -> None:
        """A time that is over means now: the call comes behind those that are due already."""
        effects.make_group.delay_on_commit("behind")
        row = fail(Retry("", None, when))
        assert OutboxCall.objects.latest("available_at") == row

    @pytest.mark.parametrize(
        ("when", "seconds"),
        [(timedelta(minutes=1), 60), (90, 90), ("120", 120), (None, 30)],
    )
    def test_soon(self, when: Any, seconds: float) -> None:
        """Any other is kept, counted from the database's time."""
        row = fail(Retry("", None, when), default_retry_delay=timedelta(seconds=30))
        wait = (row.available_at - row.created_at).total_seconds()
        assert seconds <= wait < seconds + 5

    def test_eta(self) -> None:
        """An eta is kept to the microsecond, given as a text too."""
        eta = timezone.now() + timedelta(days=400)
        assert fail(Retry("", None, eta)).available_at == eta
        assert fail(Retry("", None, eta.isoformat())).available_at == eta

    @pytest.mark.parametrize("delay", [timedelta(minutes=1), 60, "60"])
    def test_default_retry_delay(self, delay: Any) -> None:
        """A task's default delay is any of these too."""
        row = fail(ValueError(), retry_backoff=False, default_retry_delay=delay)
        assert 60 <= (row.available_at - row.created_at).total_seconds() < 65

    @pytest.mark.parametrize(
        "options",
        [
            {"retry_backoff": "often"},
            {"retry_backoff": float("inf")},
            {"retry_backoff_max": "long"},
            {"retry_backoff_max": float("nan")},
            {"max_retries": "many"},
            {"dont_autoretry_for": ValueError},
            {"autoretry_for": ["ValueError"]},
            {"throws": "ValueError"},
            {"retry_backoff": False, "default_retry_delay": "soon"},
        ],
    )
    def test_weird_options(self, options: Any) -> None:
        """Options that mean nothing have the call tried by the default ones, to its end."""
        row = fail(KeyError(), **options)
        assert (row.status, row.attempts) == (PENDING, 1)
        assert 0 <= (row.available_at - row.created_at).total_seconds() < 10
        limit = options.get("max_retries", 2)
        assert fail(KeyError(), attempts=10, **options | {"max_retries": limit}).status == DEAD


class TestRecords:
    """What is written."""

    def test_arguments(self) -> None:
        """``self.retry(args=…)`` has the next attempt made with other arguments."""
        error: Any = Retry("", None, 0)
        error.payload = '[["y"], {}]'
        assert fail(error).payload == '[["y"], {}]'

    @pytest.mark.parametrize("payload", [None, 5, b"[]"])
    def test_no_arguments(self, payload: Any) -> None:
        """Without any the old ones hold; those of an error that is no retry are its own."""
        error: Any = Retry("", None, 0)
        error.payload = payload
        assert fail(error).payload == '[["x"], {}]'
        assert fail(error_with(payload="[]")).payload == '[["x"], {}]'

    def test_failing_since(self) -> None:
        """The first failure is remembered while the call is tried again."""
        call = make_call()
        first = fail_call(call, BrokerError("down")).failing_since
        assert first
        assert fail_call(call, ValueError()).failing_since == first
        assert fail_call(call, Reject("never")).failing_since is None

    def test_statement_fails(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A failure that the database refuses to record is recorded in short, in the same
        transaction, whose other effects commit."""
        monkeypatch.setattr(outcomes, "_from_now", lambda seconds: broken(seconds))

        def broken(seconds: float) -> Any:
            monkeypatch.undo()
            with connection.cursor() as cursor:
                cursor.execute("SELECT no_such_column FROM aftercommit_outboxcall")

        call = make_call()
        with transaction.atomic():
            effects.make_group.delay_on_commit("beside")
            settle_failed(rows_of(call), call, SimpleNamespace(), ValueError("no file ä"))
        row = OutboxCall.objects.get(pk=call.pk)
        assert (row.status, row.attempts) == (PENDING, 1)
        first, second = row.error.splitlines()[:2]
        assert first == "ValueError: no file \\xe4"
        assert second.startswith("This failure could not be recorded in full: ")
        assert OutboxCall.objects.count() == 2
        assert "could not be recorded in full" in caplog.text

    def test_database_out_of_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A database that is out of order while it is recorded leaves the call as it was."""

        def broken(seconds: float) -> Any:
            raise deadlock()

        call = make_call()
        monkeypatch.setattr(outcomes, "_from_now", broken)
        with pytest.raises(OperationalError), transaction.atomic():
            settle_failed(rows_of(call), call, SimpleNamespace(), ValueError())
        assert OutboxCall.objects.get().attempts == 0


class TestLog:
    """The lines in the log."""

    @pytest.fixture(autouse=True)
    def _listen(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, "aftercommit")

    def test_retry(self, caplog: pytest.LogCaptureFixture) -> None:
        """A retry is a warning in one line: task, id, request, attempt, when, error."""
        row = fail(ValueError("one\ntwo \udc80\x1b"), attempts=1, retry_jitter=False)
        (logged,) = caplog.records
        assert logged.levelno == logging.WARNING
        assert logged.getMessage() == (
            f"{row.task}[{row.pk}] of request 7f3a: attempt 2 of 9 failed, the next is in 2 s: "
            "ValueError: one two \\udc80\\x1b"
        )
        assert not logged.exc_info
        assert logged.name.startswith("aftercommit.")

    def test_eta(self, caplog: pytest.LogCaptureFixture) -> None:
        """One that has its time says it."""
        eta = timezone.now() + timedelta(days=2)
        fail(Retry("", ValueError("poison"), eta))
        assert f"the next is at {eta.astimezone(UTC).isoformat()}: Retry: " in caplog.text
        assert "poison" in caplog.text

    def test_not_counted(self, caplog: pytest.LogCaptureFixture) -> None:
        """An attempt that isn't counted is said to be none."""
        fail(BrokerError("down"), max_retries=None)
        assert "attempt 1 of any not counted, the next is in 1 s: OperationalError" in caplog.text

    def test_dead(self, caplog: pytest.LogCaptureFixture) -> None:
        """A dead letter is an error with its traceback."""
        error = ValueError("poison")
        row = fail(error, max_retries=0)
        (logged,) = caplog.records
        assert logged.levelno == logging.ERROR
        assert logged.exc_info
        assert logged.exc_info[1] is error
        assert logged.getMessage() == (
            f"{row.task}[{row.pk}] of request 7f3a: attempt 1 of 1 failed, it is a dead letter "
            "now: ValueError: poison"
        )

    def test_no_orders(self, caplog: pytest.LogCaptureFixture) -> None:
        """An error's text gives a terminal no order, in the line and in the traceback."""

        def fail(name: str) -> None:
            raise ValueError("\x1b[2Jgone\r\u202e")

        effects.act("bad", fail)
        effects.make_group.delay_on_commit("bad")
        drain_all()
        record = caplog.records[-1]
        assert r"ValueError: \x1b[2Jgone \u202e" in record.getMessage()
        assert r"ValueError: \x1b[2Jgone\r\u202e" in str(record.exc_text)
        assert not {"\x1b", "\r", "\u202e"} & {*caplog.text}

    def test_expected(self, caplog: pytest.LogCaptureFixture) -> None:
        """One of an error that the task names in ``throws`` is an information, in one line."""
        fail(KeyError("poison"), throws=(KeyError,))
        (logged,) = caplog.records
        assert (logged.levelno, bool(logged.exc_info)) == (logging.INFO, False)

    def test_fields(self, caplog: pytest.LogCaptureFixture) -> None:
        """Each record names the call for logs that keep fields."""
        row = fail(ValueError(), attempts=1)
        (logged,) = caplog.records
        fields: Any = logged
        assert (fields.task, fields.call_id) == (row.task, str(row.pk))
        assert (fields.request_id, fields.attempt) == ("7f3a", 2)

    def test_rolled_back(self, caplog: pytest.LogCaptureFixture) -> None:
        """What is rolled back has not been recorded, and isn't told."""
        call = make_call()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            settle_failed(rows_of(call), call, SimpleNamespace(), ValueError())
            raise ZeroDivisionError
        assert not caplog.records

    def test_taken(self, caplog: pytest.LogCaptureFixture) -> None:
        """Of a call that another process has taken the error is told, and no dead letter."""
        call = make_call()
        OutboxCall.objects.all().delete()
        settle_failed(rows_of(call), call, SimpleNamespace(max_retries=0), ValueError("poison"))
        (logged,) = caplog.records
        assert logged.levelno == logging.WARNING
        assert "failed, but another process has taken the call: ValueError" in caplog.text

    @pytest.mark.parametrize("max_retries", [0, 1])
    @pytest.mark.parametrize("name", STRANGE)
    def test_strange_errors(self, name: str, max_retries: int, tmp_path: Path) -> None:
        """No error is too strange to be told in a file, a dead letter's traceback included."""
        logger = logging.getLogger("aftercommit")
        handler = logging.FileHandler(tmp_path / "log", encoding="utf-8")
        logger.addHandler(handler)
        try:
            status = fail(STRANGE[name], max_retries=max_retries).status
        finally:
            logger.removeHandler(handler)
            handler.close()
        text = (tmp_path / "log").read_text("utf-8")
        assert ("it is a dead letter now" in text) == (status == DEAD)
        assert ("the next is in" in text) == (status == PENDING)
        assert type(STRANGE[name]).__name__ in text
        assert len(text) < 30_000

    def test_project_has_these_fields(self, caplog: pytest.LogCaptureFixture) -> None:
        """A record factory that has set a field of the same name keeps the line from nobody."""
        factory = logging.getLogRecordFactory()

        def with_request(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = factory(*args, **kwargs)
            record.request_id = "the project's"
            return record

        logging.setLogRecordFactory(with_request)
        try:
            fail(ValueError("poison"), max_retries=0)
        finally:
            logging.setLogRecordFactory(factory)
        assert "it is a dead letter now: ValueError: poison" in caplog.text


class TestDrainAll:
    """``drain_all()``, as ``manage.py outbox drain``."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("size", [1, 2])
    @pytest.mark.parametrize(
        "error", [BrokerError("down"), Retry("", None, 0), deadlock, Reject("again", requeue=True)]
    )
    def test_returns(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any, kind: str, size: int, error: Any
    ) -> None:
        """It comes back although a call is tried at once again and again; the others settle."""
        settings.OUTBOX_DRAIN_SECONDS = 0.01
        monkeypatch.setattr(drain, "IDLE_ROUNDS", 5)
        task = found(KINDS[kind])
        monkeypatch.setattr(task, "batch_size", size)
        monkeypatch.setattr(task, "max_retries", None)

        def act(_: str) -> None:
            raise error() if callable(error) else error

        effects.act("bad", act)
        with transaction.atomic():
            for each in ("a", "bad", "b", "bad"):
                task.delay_on_commit(name=each)
        report = drain_all()
        assert report.settled == 2
        assert OutboxCall.objects.filter(status=PENDING).count() == 2
