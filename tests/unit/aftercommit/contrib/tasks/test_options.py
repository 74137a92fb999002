"""OPTIONS in TASKS: each does what its name says, or is refused with a sentence."""

import re
from pathlib import Path
from typing import Any

import pytest

from aftercommit.contrib.tasks.api import InvalidTaskBackend
from aftercommit.contrib.tasks.backend import OutboxBackend
from aftercommit.contrib.tasks.options import ALL_OPTIONS, BackendOptions
from aftercommit.outbox.task_options import DEFAULTS
from tests.unit.aftercommit.contrib.tasks.installed import BACKEND


def make(**params: Any) -> BackendOptions:
    """Return the options of a backend with these parameters."""
    return OutboxBackend("mails", {"BACKEND": BACKEND, **params}).outbox_options


def test_defaults() -> None:
    """Nothing has to be said."""
    assert make() == BackendOptions("default", None, 604_800, ())
    assert make(OPTIONS={}) == make(QUEUES=[])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ENQUEUE_ON_COMMIT": True}, "Remove it: a task that is enqueued commits"),
        ({"ENQUEUE_ON_COMMIT": False}, "Remove it"),
        ({"QUEUE": []}, "has QUEUE. Expected BACKEND, QUEUES, OPTIONS"),
        ({"QUEUES": "default"}, r"\['QUEUES'\] is 'default'. Expected a list of names"),
        ({"QUEUES": [1]}, "Expected a list of names"),
        ({"OPTIONS": ["atomic"]}, "Expected a mapping"),
        ({"OPTIONS": {"retries": 1}}, "has 'retries'. These options are known: database, results"),
        ({"OPTIONS": {"atomic": 0}}, r"\['atomic'\] is 0. Expected True or False"),
        ({"OPTIONS": {"database": None}}, "is None. Expected the alias of a database"),
        ({"OPTIONS": {"results": "no"}}, "Expected True or False"),
        ({"OPTIONS": {"result_retention": 0}}, "Expected a positive number of seconds"),
        ({"OPTIONS": {"max_retries": -1}}, "Expected a whole number from 0 on, or None"),
        ({"OPTIONS": {"max_retries": True}}, "Expected a whole number"),
        ({"OPTIONS": {"max_retries": 1.5}}, "Expected a whole number"),
        ({"OPTIONS": {"batch_size": 0}}, "Expected a positive whole number"),
        ({"OPTIONS": {"lease": float("nan")}}, "Expected a positive number of seconds"),
        ({"OPTIONS": {"time_limit": "9"}}, "or None for no limit"),
        ({"OPTIONS": {"retry_backoff": -2}}, "Expected True, False or a positive number"),
        ({"OPTIONS": {"rate_limit": 10}}, "Expected a text such as '10/m'"),
        ({"OPTIONS": {"rate_limit": "10/x"}}, "Expected a text such as '10/m'"),
        ({"OPTIONS": {"rate_limit": "ten"}}, "Expected a text such as '10/m'"),
    ],
)
def test_refused(params: dict[str, Any], message: str) -> None:
    """The sentence names the backend, what was given and what was expected."""
    with pytest.raises(InvalidTaskBackend, match=message) as refused:
        make(**params)
    assert "TASKS['mails']" in str(refused.value)


GOOD: dict[str, list[Any]] = {
    "database": ["default", "other"],
    "results": [True, False],
    "result_retention": [1, 0.5, None],
    "atomic": [True, False],
    "batch_size": [1, 500],
    "lease": [1, 0.5],
    "max_retries": [0, 24, None],
    "retry_backoff": [True, False, 2, 0.5],
    "retry_backoff_max": [600],
    "retry_jitter": [True, False],
    "default_retry_delay": [1, 0.5],
    "reject_on_worker_lost": [True, False],
    "time_limit": [1, 0.5, None],
    "soft_time_limit": [1, None],
    "rate_limit": ["10/m", "0.5/s", "3", None],
}


@pytest.mark.parametrize("name", ALL_OPTIONS)
def test_taken(name: str) -> None:
    """Each option takes what the documents say."""
    for value in GOOD[name]:
        options = make(OPTIONS={name: value})
        taken = {**vars(options), **dict(options.of_task)}
        assert taken[name] == value


def test_documented() -> None:
    """The page has every option, with its default, and no other."""
    page = Path(__file__).parents[5] / "docs/how-to/django-tasks.md"
    table = page.read_text().partition("| option | default |")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[:2] for line in table.splitlines()[2:]]
    named: dict[str, str] = {}
    for names, values in rows:
        found = re.findall(r"`(\w+)`", names)
        given = [each.strip("`") for each in values.split(", ")]
        named.update(zip(found, given if len(given) == len(found) else given * 9, strict=False))
    assert named.keys() == ALL_OPTIONS.keys()
    for name in named.keys() & DEFAULTS.keys():
        assert named[name] in (str(DEFAULTS[name]), "Celery's")
