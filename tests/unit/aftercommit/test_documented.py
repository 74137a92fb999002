"""The figures that the documents and the design promise are those of the code."""

import re
from pathlib import Path
from typing import Any

import pytest

from aftercommit.conf import Conf
from aftercommit.db.sqlite3.outbox import SQLiteOperations
from aftercommit.outbox import turns, waker
from aftercommit.outbox.task_options import DEFAULTS, Options
from aftercommit.worker import deferred_writes, forks, heartbeat
from notifications.tasks import send_delivery
from tests.unit.aftercommit import effects

PROJECT = Path(__file__).parents[3]
DOCUMENTS = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]


def documented() -> dict[str, set[float]]:
    """Return the defaults that the documents' tables and sentences name for each setting."""
    found: dict[str, set[float]] = {}
    rows = r"`OUTBOX_([A-Z_]+)`(?: \| | \()(\d[\d,]*)(?=,|\)| \||  ?\()"
    for document in DOCUMENTS:
        for name, value in re.findall(rows, document.read_text()):
            found.setdefault(name, set()).add(float(value.replace(",", "")))
    return found


def test_settings() -> None:
    """A default that a document names is the setting's."""
    named = documented()
    assert {"SWEEP_INTERVAL", "UNKNOWN_TASK_GRACE", "MAX_AGE"} <= named.keys()
    computed = {
        "CRASH_GRACE": 2.0,
        "STALE_WORKER": heartbeat.stale_seconds(),
        "MAX_FAILING_AGE": 30,
    }
    for name, values in named.items():
        default = getattr(Conf, name)
        assert values == {computed[name] if default is None else default}, name


DEFAULT_SETTINGS = {
    "SWEEP_INTERVAL": 2,
    "DRAIN_SECONDS": 5,
    "WAKE_TTL": 5,
    "CACHE": "default",
    "FLUSH_SECONDS": 2,
    "UNKNOWN_TASK_GRACE": 3600,
    "CRASH_GRACE": None,
    "IDLE_LIMIT": None,
    "MAX_CRASHES": 3,
    "MAX_AGE": 60,
    "MAX_AGES": {},
    "MAX_FAILING_AGE": None,
    "STALE_WORKER": None,
    "EVENTS": "failures",
    "CONTEXT": {},
    "HEALTH_SECONDS": 3,
}


def test_every_setting() -> None:
    """A default is changed on purpose alone: what runs in production leans on it."""
    assert vars(Conf()) == DEFAULT_SETTINGS


def test_retries() -> None:
    """A task that names nothing has 8 retries, with jitter, at most ten minutes apart."""
    options = Options.of(effects.take_values)
    assert (options.max_retries, options.retry_backoff) == (8, True)
    assert (options.retry_backoff_max, options.retry_jitter) == (600, True)
    assert (options.atomic, options.batch, options.batch_size, options.lease) == (
        True, False, 500, 120,
    )  # fmt: skip
    assert DEFAULTS["reject_on_worker_lost"] is False


def test_tries_of_a_mail() -> None:
    """A mail is tried 25 times, the last of them up to two and a half hours after the first."""
    options: Any = Options.of(send_delivery)
    assert options.max_retries == 24
    waits = [min(2**attempt, options.retry_backoff_max) for attempt in range(options.max_retries)]
    assert 2 * 3600 <= sum(waits) <= 3 * 3600
    assert (options.atomic, options.reject_on_worker_lost) == (False, True)


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (waker, "PAUSE", 0.01),
        (waker, "OUTAGE_PAUSE", 1.0),
        (waker, "MAX_WAITING", 1000),
        (turns, "MAX_HOLD_SECONDS", 120),
        (turns, "TOLERATED", 3),
        (SQLiteOperations, "largest_batch", 50),
        (forks, "FORK_WAITS", 10),
        (deferred_writes, "FIRST_PAUSE", 0.2),
    ],
)
def test_measured(module: Any, name: str, value: float) -> None:
    """A figure that was measured, or that a document names, is changed on purpose alone."""
    assert getattr(module, name) == value


def test_quickstart_is_one_screen() -> None:
    """The quickstart has 45 lines at most. What readers don't see is not counted."""
    text = (PROJECT / "docs/quickstart.md").read_text()
    assert len(re.sub(r"<!--.*?-->\n", "", text, flags=re.S).splitlines()) <= 45


def test_readme_is_short() -> None:
    """The README has fewer than 150 lines."""
    assert len((PROJECT / "README.md").read_text().splitlines()) < 150
