"""What becomes of a call that failed, and when it is tried again."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from celery import exceptions, signature
from celery.exceptions import Reject, SoftTimeLimitExceeded
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from aftercommit.call import Call, CallError
from aftercommit.outbox.task_function import MisfitError, SignatureError
from aftercommit.outbox.task_options import Options
from aftercommit.worker.retry_policy import (
    MAX_DELAY,
    MIN_DELAY,
    NextStep,
    choose_next_step,
    next_attempt_time,
    parse_time,
)
from tests.unit.aftercommit.faults import of_postgresql

Retry: Any = exceptions.Retry  # its stub has fewer types than authors give

RETRY, PUT_OFF, DEAD = NextStep.RETRY, NextStep.PUT_OFF, NextStep.DEAD

LOST = of_postgresql("57P01")
DEADLOCK = of_postgresql("40P01")


def make_options(**values: Any) -> Options:
    """Return the options of a task that names these."""
    return Options.of(SimpleNamespace(**values))


def make_call(attempts: int = 0) -> Call:
    """Return a call with so many attempts."""
    return Call("default", 1, "a.task", "[[], {}]", "[]", attempts, 0, timezone.now())


class TestJudge:
    """``choose_next_step()``."""

    @pytest.mark.parametrize(
        ("error", "options", "expected"),
        [
            # A task that names no errors: all are retried.
            (ValueError(), {}, RETRY),
            (SoftTimeLimitExceeded(), {}, RETRY),
            (CallError(), {}, DEAD),
            (MisfitError(), {}, DEAD),
            (SignatureError(), {}, RETRY),  # of another call, which the function makes
            # dont_autoretry_for, for errors that nobody asked to be retried
            (KeyError(), {"dont_autoretry_for": (LookupError,)}, DEAD),
            (ValueError(), {"dont_autoretry_for": (LookupError,)}, RETRY),
            (Retry(), {"dont_autoretry_for": (Exception,)}, RETRY),
            (Reject(requeue=True), {"dont_autoretry_for": (Exception,)}, RETRY),
            # autoretry_for: the named ones, of which Celery has made a Retry unless they come late
            (Retry(), {"autoretry_for": (ValueError,)}, RETRY),
            (ValueError(), {"autoretry_for": (ValueError,)}, RETRY),
            (KeyError(), {"autoretry_for": (ValueError,)}, DEAD),
            (KeyError(), {"autoretry_for": (LookupError,), "throws": (KeyError,)}, RETRY),
            (KeyError(), {"autoretry_for": (KeyError,), "dont_autoretry_for": (KeyError,)}, DEAD),
            # throws
            (KeyError(), {"throws": (KeyError,)}, DEAD),
            (ValueError(), {"throws": (KeyError,)}, RETRY),
            (KeyError(), {"throws": LookupError}, DEAD),  # Celery takes a class for a tuple, too
            (ValueError(), {"throws": LookupError}, RETRY),
            # Reject
            (Reject("never"), {}, DEAD),
            (Reject("again", requeue=True), {}, RETRY),
            # outages and conflicts, which the options' names aren't about
            (BrokerError("down"), {}, PUT_OFF),
            (BrokerError("down"), {"autoretry_for": (ValueError,)}, PUT_OFF),
            (BrokerError("down"), {"dont_autoretry_for": (BrokerError,)}, DEAD),
            (DEADLOCK, {"throws": (Exception,)}, PUT_OFF),
            (LOST, {"autoretry_for": (ValueError,)}, RETRY),
            (LOST, {"throws": (Exception,)}, RETRY),
        ],
    )
    def test_first_failure(self, error: Exception, options: Any, expected: NextStep) -> None:
        """The first failure of a call is judged by its error and the task's options."""
        assert choose_next_step(make_call(), make_options(**options), error) is expected

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (ValueError(), DEAD),
            (LOST, DEAD),
            (Reject("again", requeue=True), DEAD),
            # self.retry() has held it against its own max_retries, and has made a signature
            (Retry(sig=signature("a.task")), RETRY),
            (Retry(), DEAD),  # made by hand: nobody else holds it against a limit
            (DEADLOCK, PUT_OFF),
            (BrokerError("down"), PUT_OFF),
        ],
    )
    def test_last_failure(self, error: Exception, expected: NextStep) -> None:
        """After max_retries retries a call is a dead letter; outages aren't retries."""
        assert choose_next_step(make_call(2), make_options(max_retries=2), error) is expected

    def test_without_a_limit(self) -> None:
        """A task without a limit has its calls tried for ever."""
        assert (
            choose_next_step(make_call(10**6), make_options(max_retries=None), ValueError())
            is RETRY
        )

    def test_own_max_retries(self) -> None:
        """An error's own ``max_retries`` is none of ours."""
        error: Any = ValueError()
        error.max_retries = "as many as it takes"
        assert choose_next_step(make_call(), make_options(), error) is RETRY

    @pytest.mark.parametrize("error", [ValueError(), BrokerError("down"), DEADLOCK])
    def test_exhausted(self, error: Exception) -> None:
        """The error that self.retry() raised for want of retries is final, whatever it is."""
        call = make_call()
        call.exhausted = error
        assert choose_next_step(call, make_options(), error) is DEAD
        assert choose_next_step(call, make_options(), ValueError()) is RETRY


NOW = timezone.now()


class TestParseTime:
    """``as_time()``."""

    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            (0, 0.0),
            (1.5, 1.5),
            (Decimal("1.5"), 1.5),
            (timedelta(minutes=1), 60.0),
            ("5", 5.0),
            ("2.5", 2.5),
            (-1, 0.0),
            (timedelta(days=-1), 0.0),
            (1e12, MAX_DELAY),
            (10**400, MAX_DELAY),
            (float("inf"), MAX_DELAY),
            (float("-inf"), 0.0),
            (timedelta.max, MAX_DELAY),
            (datetime.max, MAX_DELAY),
            (datetime.max.replace(tzinfo=UTC), MAX_DELAY),
            (datetime.min, 0.0),
            (datetime.min.replace(tzinfo=UTC), 0.0),
            (NOW - timedelta(seconds=1), 0.0),
            ("2001-01-01T00:00:00Z", 0.0),
            (NOW + timedelta(days=2), NOW + timedelta(days=2)),
            pytest.param((NOW + timedelta(days=2)).isoformat(), NOW + timedelta(days=2), id="text"),
        ],
    )
    def test_time(self, when: Any, expected: Any) -> None:
        """Whatever stands for a time is one that Python and every database can hold."""
        assert parse_time(when) == expected

    @pytest.mark.parametrize("name", ["America/New_York", "Pacific/Kiritimati"])
    def test_naive(self, settings: Any, name: str) -> None:
        """A time without a zone is in that of the settings, a text's too."""
        settings.TIME_ZONE = name
        timezone.get_default_timezone.cache_clear()
        naive = datetime(NOW.year + 1, 1, 1)
        expected = naive.replace(tzinfo=timezone.get_default_timezone())
        try:
            assert parse_time(naive) == parse_time(naive.isoformat()) == expected
        finally:
            timezone.get_default_timezone.cache_clear()

    @pytest.mark.parametrize("when", ["soon", "", "nan", float("nan"), None, [], object(), 1j])
    def test_fail_no_time(self, when: Any) -> None:
        """What stands for none is refused with a sentence."""
        with pytest.raises((TypeError, ValueError), match="Expected a number of seconds"):
            parse_time(when)


class TestNextTime:
    """``next_time()``."""

    @pytest.mark.parametrize(
        ("options", "attempts", "expected"),
        [
            ({}, 0, 1.0),
            ({}, 3, 8.0),
            ({}, 10**6, 600.0),
            ({"retry_backoff": 5}, 1, 10.0),
            ({"retry_backoff": "5"}, 1, 10.0),  # Celery takes it too
            ({"retry_backoff": 1e300}, 1, 600.0),
            ({"retry_backoff": 1e300, "retry_backoff_max": 10**300}, 1, MAX_DELAY),
            ({"retry_backoff_max": 2.5}, 5, 2.0),
            ({"retry_backoff_max": "30"}, 9, 30.0),
            ({"retry_backoff_max": -1}, 5, 0.0),
            ({"retry_backoff": False}, 5, 180.0),
            ({"retry_backoff": False, "default_retry_delay": timedelta(minutes=1)}, 5, 60.0),
        ],
    )
    def test_backoff(self, options: Any, attempts: int, expected: float) -> None:
        """The delay is Celery's backoff, or the task's own delay if it has none."""
        named = make_options(retry_jitter=False, **options)
        assert next_attempt_time(make_call(attempts), named, ValueError(), RETRY) == expected

    def test_jitter(self) -> None:
        """With jitter it is at most that."""
        named = make_options(retry_backoff_max=2.5)
        found = {next_attempt_time(make_call(9), named, ValueError(), RETRY) for _ in range(100)}
        assert found == {0.0, 1.0, 2.0}

    def test_retry(self) -> None:
        """``self.retry()`` says when or, saying nothing, means the task's default_retry_delay."""
        named = make_options(default_retry_delay=7)
        assert (
            next_attempt_time(make_call(), named, Retry(when=timedelta(minutes=2)), RETRY) == 120.0
        )
        assert next_attempt_time(make_call(), named, Retry(when=0), RETRY) == 0.0
        assert next_attempt_time(make_call(), named, Retry(), RETRY) == 7.0

    def test_not_counted(self) -> None:
        """An attempt that isn't counted is not followed by another at once, for ever."""
        named = make_options(retry_backoff=False, default_retry_delay=0)
        assert next_attempt_time(make_call(), named, DEADLOCK, PUT_OFF) == MIN_DELAY
        assert next_attempt_time(make_call(), named, ValueError(), RETRY) == 0.0
