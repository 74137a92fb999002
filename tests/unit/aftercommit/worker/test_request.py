"""``self.retry()`` and its kin in a durable call: what Celery says they mean."""

from collections.abc import Sequence
from typing import Any

import pytest
from celery import Task, current_app, shared_task
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils import timezone

from aftercommit.call import Call
from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import call_on_commit
from aftercommit.outbox.task import OutboxTask
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

DEAD = OutboxCall.Status.DEAD
BASES = pytest.mark.parametrize("base", [OutboxTask, Task], ids=["ours", "celery's"])

runs: list[Any] = []
"""What the tasks were called with, run by run."""


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    runs.clear()


class Unlucky(Exception):
    """What the tasks raise."""


def make(base: type[Any], function: Any, **options: Any) -> Any:
    """Return a task of the class; one of its name from another test is replaced."""
    name = f"tests.retry.{function.__name__}.{base.__module__}"
    app: Any = current_app
    app.tasks.pop(name, None)
    return app.task(function, base=base, name=name, bind=True, shared=False, **options)


@BASES
def test_max_retries_of_the_call(base: Any) -> None:
    """``max_retries`` of ``self.retry()`` wins over the task's: one retry is two runs."""

    def unlucky(self: Any) -> None:
        runs.append(self.request.retries)
        try:
            raise Unlucky("again")
        except Unlucky as error:
            raise self.retry(exc=error, countdown=0, max_retries=1) from error

    call_on_commit(make(base, unlucky))
    report = drain_all()
    assert runs == [0, 1]
    assert (report.retried, report.dead) == (1, 1)
    assert "Unlucky: again" in OutboxCall.objects.get().error


@BASES
def test_max_retries_by_keywords(base: Any) -> None:
    """So do those of ``autoretry_for`` with ``retry_kwargs``."""

    def unlucky(self: Any) -> None:
        runs.append(self.request.retries)
        raise Unlucky("again")

    options = {"max_retries": 1, "countdown": 0}
    call_on_commit(make(base, unlucky, autoretry_for=(Unlucky,), retry_kwargs=options))
    report = drain_all()
    assert runs == [0, 1]
    assert (report.retried, report.dead) == (1, 1)


@BASES
@pytest.mark.parametrize("positional", [True, False])
def test_other_arguments(base: Any, positional: bool) -> None:
    """A task that goes on with the rest of its list does each item once."""

    def work(self: Any, items: Sequence[int], label: str = "") -> None:
        runs.append((items[0], label))
        rest = list(items[1:])
        if rest and positional:
            self.retry((rest,), {"label": label}, None, True, None, 0)
        if rest:
            raise self.retry(args=[rest], countdown=0)

    call_on_commit(make(base, work), [[1, 2, 3]], {"label": "a"})
    report = drain_all()
    assert runs == [(1, "a"), (2, "a"), (3, "a")]
    assert (report.settled, report.retried) == (1, 2)


@BASES
@pytest.mark.parametrize("atomic", [True, False])
def test_throw_is_false(base: Any, atomic: bool) -> None:
    """``throw=False`` lets the function go on: its effects are kept, and it runs again."""

    def work(self: Any) -> None:
        runs.append(self.request.retries)
        if not self.request.retries:
            self.retry(countdown=0, throw=False)
        Group.objects.create(name=f"run {self.request.retries}")

    call = call_on_commit(make(base, work, atomic=atomic))
    report = drain_all()
    assert runs == [0, 1]
    assert (report.settled, report.retried) == (1, 1)
    assert effects.names() == ["run 0", "run 1"]
    assert call.id


@BASES
@pytest.mark.parametrize("options", [{}, {"atomic": False}], ids=["atomic", "outside"])
def test_caught(base: Any, options: Any) -> None:
    """A retry holds also if the function catches what ``self.retry()`` raises, as in Celery."""

    def work(self: Any) -> None:
        runs.append(self.request.retries)
        try:
            if not self.request.retries:
                self.retry(countdown=0)
        except Exception:  # noqa: BLE001  # as a function does that lets nothing out
            runs.append("caught")

    call_on_commit(make(base, work, **options))
    report = drain_all()
    assert runs == [0, "caught", 1]
    assert (report.settled, report.retried) == (1, 1)


@pytest.mark.parametrize("options", [{}, {"atomic": False}], ids=["atomic", "outside"])
def test_link_of_a_call_that_asked_for_a_retry(options: Any) -> None:
    """What is linked to a call is called once: with the result of the run that ended the call."""

    def work(self: Any) -> str:
        if not self.request.retries:
            self.retry(countdown=0, throw=False)
        return f"run {self.request.retries}"

    link = effects.make_group.s()
    call_on_commit(make(OutboxTask, work, **options), link=link)
    drain_all()
    assert effects.names() == ["run 1"]


def test_caught_in_a_batch() -> None:
    """In a batch it holds for all calls of the run."""

    def work(self: Any, calls: Sequence[Call]) -> None:
        runs.append([call.attempts for call in calls])
        try:
            if not calls[0].attempts:
                self.retry(countdown=0)
        except Exception:  # noqa: BLE001  # the same
            runs.append("caught")

    task = make(OutboxTask, work, batch=True)
    with transaction.atomic():
        call_on_commit(task)
        call_on_commit(task)
    assert drain_all().settled == 2
    assert runs == [[0, 0], "caught", [1, 1]]


def test_throw_is_false_and_watched() -> None:
    """Hooks are told of a retry that was asked for without an exception."""
    told: list[str] = []

    def work(self: Any) -> None:
        if not self.request.retries:
            self.retry(countdown=0, throw=False)

    task = make(OutboxTask, work)
    type(task).on_retry = lambda self, exc, *_: told.append(type(exc).__name__)
    call_on_commit(task)
    assert drain_all().settled == 1
    assert told == ["Retry"]


@BASES
def test_no_retry_left(base: Any) -> None:
    """Without an error of its own the last retry is Celery's MaxRetriesExceededError."""

    def work(self: Any) -> None:
        self.retry(countdown=0, max_retries=0)

    call_on_commit(make(base, work))
    assert drain_all().dead == 1
    assert "MaxRetriesExceededError" in OutboxCall.objects.get().error


@BASES
def test_forever(base: Any) -> None:
    """``max_retries=None`` of the task is for ever."""

    def work(self: Any) -> None:
        runs.append(self.request.retries)
        if self.request.retries < 12:
            raise self.retry(countdown=0)

    call_on_commit(make(base, work, max_retries=None))
    assert drain_all().settled == 1
    assert runs == list(range(13))


def test_fail_options() -> None:
    """An option that a durable call can't keep is refused, and the failure says which."""

    def work(self: Any) -> None:
        self.retry(queue="other")

    call_on_commit(make(OutboxTask, work, max_retries=0))
    assert drain_all().dead == 1
    assert "not queue" in OutboxCall.objects.get().error


def test_fail_arguments_of_a_batch() -> None:
    """A batch can't be given other arguments: its calls have their own."""

    def work(self: Any, calls: Sequence[Call]) -> None:
        self.retry(args=[1])

    call_on_commit(make(OutboxTask, work, batch=True, max_retries=0))
    assert drain_all().dead == 1
    assert "a batch takes no args" in OutboxCall.objects.get().error


def test_outside_a_call() -> None:
    """Called directly, ``self.retry()`` does what Celery's does: it raises the error."""

    @shared_task(bind=True, name="tests.retry.direct")
    def direct(self: Any) -> None:
        raise self.retry(exc=Unlucky("now"))

    with pytest.raises(Unlucky):
        direct()


@BASES
def test_replace(base: Any) -> None:
    """``self.replace()`` has the other task called, with the same commit."""

    def work(self: Any, name: str) -> None:
        Group.objects.create(name="kept")
        self.replace(effects.make_group.s(name))

    call_on_commit(make(base, work), ["replaced"])
    assert drain_all().settled == 2
    assert effects.names() == ["kept", "replaced"]


class Patient(OutboxTask):
    """Has a ``retry`` of its own, with another default."""

    abstract = True

    def retry(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for a minute, unless the caller says how long."""
        return super().retry(*args, **{"countdown": 60, **kwargs})


@shared_task(bind=True, base=Patient)
def be_patient(self: Any) -> None:
    """Ask for a retry without a time."""
    self.retry()


def test_retry_of_its_own() -> None:
    """A task's own ``retry`` counts, in a durable call too."""
    before = timezone.now()
    be_patient.delay_on_commit()
    drain_all()
    row = OutboxCall.objects.get()
    assert (row.status, row.attempts) == ("pending", 1)
    assert 50 < (row.available_at - before).total_seconds() < 70
