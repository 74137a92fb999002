"""A project without time zones: ``USE_TZ = False``, in a zone that is not UTC."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import shared_task
from django.test import override_settings

from aftercommit.contrib.testing import Outbox
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db]

HOUR = timedelta(hours=1)
runs: list[int] = []


@shared_task(bind=True, max_retries=3)
def ask_for_an_hour(self: Any) -> None:
    """Be called again at a time."""
    runs.append(self.request.retries)
    if not self.request.retries:
        raise self.retry(eta=now() + HOUR)


def now() -> datetime:
    """The time, with a time zone, as Celery's users give it."""
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def _without_time_zones(db: None) -> Iterator[None]:
    runs.clear()
    with override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
        yield


def test_times_of_calls(outbox: Outbox) -> None:
    """A countdown and an eta are kept."""
    effects.take_values.apply_async_on_commit(countdown=3600)
    effects.take_values.apply_async_on_commit(eta=now() + HOUR)
    assert outbox.drain(until=HOUR * 0.9).done == 0
    assert outbox.drain(until=HOUR * 0.2).done == 2


def test_expires(outbox: Outbox) -> None:
    """A call that is too late doesn't run, and one that is not does."""
    for expires in (-60, now() - HOUR):
        effects.take_values.apply_async_on_commit(expires=expires)
    for expires in (3600, now() + HOUR):
        effects.take_values.apply_async_on_commit(expires=expires)
    report = outbox.drain()
    assert (report.expired, report.done) == (2, 2)


def test_retry_at_a_time(outbox: Outbox) -> None:
    """``self.retry(eta=…)`` is kept to the time."""
    ask_for_an_hour.delay_on_commit()
    outbox.drain(until=HOUR * 0.9)
    assert runs == [0]
    outbox.drain(until=HOUR * 0.2)
    assert runs == [0, 1]
