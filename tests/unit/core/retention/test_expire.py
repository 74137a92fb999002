"""Rows end when their days are over, a batch at a time."""

import threading
from collections import Counter
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection, connections, transaction
from django.utils import timezone

from aftercommit.worker.drain import drain_all
from audit.models import AuditLog
from core.retention import expire
from core.retention.expire import end_batch, expire_all
from core.retention.kinds import Kind, kinds
from core.retention.tasks import SECONDS, delete_expired
from tests.factories import ArticleFactory, CommentFactory
from tests.unit.aftercommit.observe import statements
from tests.unit.core.retention.old import MAKERS, days, left, make_old

pytestmark = pytest.mark.django_db

KINDS = sorted(kinds())

WITHOUT_INDEX = {"admin_log", "session_records", "sign_ups"}
"""Kinds in others' tables, which have no index of the time: as small as the number of people."""


def test_each_kind_is_made_here() -> None:
    """A kind that is new has to be tested too."""
    assert sorted(MAKERS) == KINDS


@pytest.mark.parametrize("name", KINDS)
class TestEachKind:
    """What holds for each kind of row."""

    @pytest.mark.every_database
    def test_ends(self, name: str) -> None:
        """A row whose days are over ends. One that has an hour left stays."""
        make_old(name, days(name) + 0.01, "old")
        young = make_old(name, days(name) - 0.04, "young")
        assert delete_expired() == {name: 1}
        assert left(name) == {young.pk}

    def test_for_ever(self, name: str, settings: Any) -> None:
        """None keeps the row, however old."""
        settings.RETENTION_DAYS = {**configured.RETENTION_DAYS, name: None}
        row = make_old(name, 10_000)
        assert delete_expired() == {}
        assert left(name) == {row.pk}

    def test_as_set(self, name: str, settings: Any) -> None:
        """The setting says how many days it is."""
        settings.RETENTION_DAYS = {**configured.RETENTION_DAYS, name: 3}
        make_old(name, 3.01, "old")
        young = make_old(name, 2.9, "young")
        delete_expired()
        assert left(name) == {young.pk}

    @pytest.mark.every_database
    def test_has_an_index(self, name: str) -> None:
        """The oldest are found by an index that begins with the field, or with the status."""
        if name in WITHOUT_INDEX:
            return
        with connection.cursor() as cursor:
            table = kinds()[name].model._meta.db_table
            found = connection.introspection.get_constraints(cursor, table).values()
        field: Any = kinds()[name].model._meta.get_field(kinds()[name].field)
        indexes = [each for each in found if each["index"] or each["unique"]]
        assert {each["columns"][0] for each in indexes} & {field.column, "status"}


class TestWhatStays:
    """Rows that are old and still needed."""

    def test_records_of_sessions(self) -> None:
        """A session that goes on keeps its record."""
        Session.objects.create(session_key="row", session_data="", expire_date=timezone.now())
        row = make_old("session_records", 10_000)
        assert delete_expired() == {}
        assert left("session_records") == {row.pk}

    @pytest.mark.parametrize(
        "change",
        [
            lambda user: EmailAddress.objects.update(verified=True),
            lambda user: User.objects.update(last_login=timezone.now()),
            lambda user: User.objects.update(is_staff=True),
            lambda user: User.objects.update(is_superuser=True),
            lambda user: EmailAddress.objects.all().delete(),
            lambda user: CommentFactory(user=user),
            lambda user: ArticleFactory(author=user.author),
        ],
        ids=["verified", "logged in", "staff", "superuser", "no address", "comment", "article"],
    )
    def test_users(self, change: Any) -> None:
        """Who verified an address, or did anything, stays. So does who has none to verify."""
        row = make_old("sign_ups", 10_000)
        change(row)
        assert delete_expired() == {}
        assert row.pk in left("sign_ups")

    @pytest.mark.parametrize("status", ["pending", "sending"])
    def test_deliveries(self, status: str) -> None:
        """A mail that is yet to go keeps its record."""
        row = make_old("deliveries", 10_000, status=status)
        assert delete_expired() == {}
        assert left("deliveries") == {row.pk}

    @pytest.mark.parametrize("status", ["pending", "running"])
    def test_calls(self, status: str) -> None:
        """A call that settles by itself is the outbox's."""
        row = make_old("dead_letters", 10_000, status=status)
        assert delete_expired() == {}
        assert left("dead_letters") == {row.pk}


@pytest.mark.django_db(transaction=True)
def test_sign_ups() -> None:
    """A sign-up is forgotten like anybody: nothing of it is left, and the log says by what."""
    row = make_old("sign_ups", days("sign_ups") + 1, "wilhelmina")
    drain_all()
    assert delete_expired() == {"sign_ups": 1}
    drain_all()
    assert left("sign_ups") == set()
    assert not AuditLog.objects.filter(object_repr__contains="wilhelmina").exists()
    entry = AuditLog.objects.get(action=AuditLog.Action.FORGET)
    assert (entry.user_label, entry.object_id) == ("retention", str(row.pk))


@pytest.mark.django_db(transaction=True)
def test_dead_letters_are_logged() -> None:
    """A dead letter is discarded as an operator does it: the log has it, without its texts."""
    make_old("dead_letters", days("dead_letters") + 1, payload='[["a@b.example", 7], {}]')
    make_old("dead_letters", days("dead_letters") + 1, "lost", status="uncertain")
    assert delete_expired() == {"dead_letters": 2}
    drain_all()
    entries = AuditLog.objects.filter(model_label="aftercommit.outboxcall")
    assert {(each.action, each.user_label) for each in entries} == {("DELETE", "retention")}
    assert "a@b.example" not in str([each.changes for each in entries])


class TestBatches:
    """A backlog is worked off in short transactions."""

    @pytest.fixture
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two rows are a batch."""
        for name, kind in kinds().items():
            monkeypatch.setitem(kinds(), name, Kind(**{**vars(kind), "size": 2}))  # type: ignore[index]

    @pytest.mark.usefixtures("small")
    def test_oldest_first(self) -> None:
        """A batch has the oldest rows."""
        for age in (1, 3, 2, 4):
            make_old("audit", days("audit") + age, str(age))
        assert end_batch(kinds()["audit"]) == 2
        assert {*AuditLog.objects.values_list("object_id", flat=True)} == {"1", "2"}

    @pytest.mark.usefixtures("small")
    @pytest.mark.every_database
    def test_all_in_the_end(self) -> None:
        """One run takes as many batches as it needs, of each kind in turn."""
        for number in range(5):
            make_old("audit", days("audit") + 1, str(number))
            make_old("deliveries", days("deliveries") + 1, str(number))
        assert expire_all(60) == Counter(audit=5, deliveries=5)

    @pytest.mark.usefixtures("small")
    def test_bounded_in_time(self) -> None:
        """A run that has no time left ends, and the next one goes on."""
        for number in range(3):
            make_old("audit", days("audit") + 1, str(number))
        assert expire_all(0) == {}
        assert expire_all(60) == {"audit": 3}

    def test_nothing_expired_costs_a_query_a_kind(self) -> None:
        """A run with nothing to do begins no transaction."""
        with statements() as seen:
            delete_expired()
        assert [each.split()[0] for each in seen] == ["SELECT"] * len(KINDS)


class TestErrors:
    """A kind that fails waits for the next run."""

    def test_others_end(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The other kinds end all the same, and the log has the error."""

        def fail(rows: Any) -> None:
            raise RuntimeError("broken")

        audit = Kind(**{**vars(kinds()["audit"]), "end": fail})
        monkeypatch.setitem(kinds(), "audit", audit)  # type: ignore[index]
        make_old("audit", days("audit") + 1)
        make_old("deliveries", days("deliveries") + 1)
        assert delete_expired() == {"deliveries": 1}
        assert "Not all expired audit ended, the next run goes on: broken" in caplog.text
        assert AuditLog.objects.count() == 1

    def test_refused_setting(self, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
        """A setting that can't be meant ends nothing."""
        settings.RETENTION_DAYS = {**configured.RETENTION_DAYS, "audit": 0}
        make_old("audit", 10_000)
        assert delete_expired() == {}
        assert "RETENTION_DAYS['audit'] is 0. Expected a whole number of days" in caplog.text


@pytest.mark.only_on("postgres", "mysql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once() -> None:
    """A run leaves rows that another one has locked, and waits for nobody."""
    for number in range(4):
        make_old("audit", days("audit") + 1 + number, str(number))
    with transaction.atomic():
        held = list(expire.lock_rows(kinds()["audit"].expired())[:2])
        thread = threading.Thread(target=_run)
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        assert {*AuditLog.objects.values_list("pk", flat=True)} == {each.pk for each in held}


def _run() -> None:
    try:
        expire_all(60)
    finally:
        connections.close_all()


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    """A run says how many rows of each kind ended."""
    caplog.set_level("INFO")
    make_old("audit", days("audit") + 1)
    delete_expired()
    assert "Retention ended 1 of audit" in caplog.text


def test_beat_sends_it() -> None:
    """Beat has the task in its schedule, and Celery's own cleanup isn't beside it."""
    entry: Any = configured.CELERY_BEAT_SCHEDULE["retention"]
    assert entry["task"] == delete_expired.name
    assert entry["schedule"] > SECONDS
    assert configured.CELERY_RESULT_EXPIRES is None
