"""Which calls a worker that sends task events tells of."""

from typing import Any

import pytest
from celery import current_app

from aftercommit.outbox import wake
from aftercommit.worker import task_events
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the events that are sent, as a worker with ``-E`` sends them."""
    sent: list[Any] = []
    monkeypatch.setattr(task_events, "_enabled", True)
    monkeypatch.setattr(wake, "send_soon", lambda message: sent.extend(message.args[2]))
    return sent


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("failures", ["task-retried"]), ("all", ["task-retried", "task-succeeded"]), ("none", [])],
)
def test_setting(setting: str, expected: list[str], sent: list[Any], settings: Any) -> None:
    """The setting says which calls are told of."""
    settings.OUTBOX_EVENTS = setting
    call_two()
    ends = [kind for kind, _ in sent if kind not in ("task-received", "task-started")]
    assert sorted({*ends} - {"task-failed"}) == expected
    assert ("task-failed" in ends) is (setting != "none")


@pytest.mark.parametrize("setting", ["failures", "all"])
def test_task_says_no(
    setting: str, sent: list[Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task with ``send_events=False`` is told of by none: its arguments may be secret."""
    settings.OUTBOX_EVENTS = setting
    monkeypatch.setattr(current_app.tasks[effects.make_group.name], "send_events", False)
    call_two()
    assert sent == []


def call_two() -> None:
    """Have a call succeed, and another fail for good."""

    def fail(name: str) -> None:
        raise ValueError(name)

    effects.act("bad", fail)
    for name in ("good", "bad"):
        effects.make_group.delay_on_commit(name)
    drain_all()
