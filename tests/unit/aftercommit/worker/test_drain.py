"""A drain's turn, its time and its wake-ups."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox import wake
from aftercommit.outbox.task import find_task
from aftercommit.outbox.turns import read_turns
from aftercommit.worker.drain import drain_all, drain_task
from tests.connections import at_once
from tests.unit.aftercommit import effects

pytestmark = [pytest.mark.every_database, pytest.mark.django_db(transaction=True)]

DEAD = OutboxCall.Status.DEAD


def task(proxy: Any) -> Any:
    """The task itself."""
    found = find_task(proxy.name)
    assert found
    return found


@pytest.fixture(autouse=True)
def _no_batch_is_left() -> Any:
    """Whatever happens to a batch, its journal row ends with it."""
    yield
    assert not OutboxBatch.objects.exists()


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Return the tasks that were sent a wake-up, once all are sent; nothing holds one back."""
    sent: list[str] = []
    monkeypatch.setattr(wake, "publish", lambda name, *_: sent.append(name))
    monkeypatch.setattr(wake, "hold_back", lambda *_: None)

    def names() -> list[str]:
        assert wake.flush_wake_ups(10)
        return [sent.pop() for _ in range(len(sent))]

    assert wake.flush_wake_ups(10)
    cache.clear()
    yield names
    names()
    cache.clear()


class TestTurn:
    """By its turn a drain answers the wake-ups sent before it, and lets the next be sent."""

    @pytest.mark.every_database
    @pytest.mark.parametrize(
        "proxy",
        [effects.make_group, effects.make_groups, effects.name_group, effects.send_outside],
        ids=["each", "batch", "statement", "outside"],
    )
    def test_begins_before_it_looks(self, proxy: Any) -> None:
        """What commits after the drain has looked what is due sends a wake-up of its own."""
        proxy.delay_on_commit(name="a")
        assert wake.flush_wake_ups(10)
        target = ("default", proxy.name)
        before, begun = read_turns([target])[target].begun, []

        def note(execute: Any, sql: str, *args: Any) -> Any:
            if "aftercommit_outboxcall" in sql:
                begun.append(read_turns([target])[target].begun)
            return execute(sql, *args)

        with connection.execute_wrapper(note):
            drain_task(task(proxy), "default")
        assert effects.received or effects.names()
        assert begun
        assert begun[0] > before
        assert not read_turns([target])[target].is_woken


class TestTime:
    """How long a drain goes on."""

    @pytest.mark.parametrize("proxy", [effects.make_group, effects.send_outside])
    def test_wakes_the_next(self, proxy: Any, woken: Callable[[], list[str]]) -> None:
        """A drain whose time is up has another go on later: nothing else would until a sweep."""
        with transaction.atomic():
            proxy.delay_on_commit("a")
            proxy.delay_on_commit("b")
        woken()
        drain_task(task(proxy), "default", seconds=0)
        assert OutboxCall.objects.count() == 1
        assert woken()
        drain_task(task(proxy), "default", seconds=60)
        assert not OutboxCall.objects.exists()
        assert woken() == []

    @pytest.mark.every_database
    @pytest.mark.parametrize("proxy", [effects.make_group, effects.name_group])
    def test_wakes_for_a_backlog(
        self, proxy: Any, woken: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full batch has another worker take the next: a backlog spreads over all."""
        monkeypatch.setattr(task(proxy), "batch_size", 2, raising=False)
        with transaction.atomic():
            for name in "abc":
                proxy.delay_on_commit(name)
        woken()
        drain_task(task(proxy), "default", seconds=60)
        assert not OutboxCall.objects.exists()
        assert set(woken()) == {proxy.name}

    def test_makes_room(self, settings: Any) -> None:
        """A drain whose time is up ends after the call that runs; what is left has its age."""
        settings.OUTBOX_DRAIN_SECONDS = 1e-9
        with transaction.atomic():
            for number in range(10):
                effects.make_group.delay_on_commit(str(number))
        report = drain_task(task(effects.make_group), "default")
        assert report.settled == 1
        assert report.oldest_age is not None
        assert drain_all().settled == 9

    def test_report(self) -> None:
        """The report of a drain is its task's result."""
        effects.make_group.delay_on_commit("a")
        result = drain_task(task(effects.make_group), "default").as_result()
        assert result == {"settled": 1}


def test_two_drains_at_once() -> None:
    """Two drains of one task settle each call once."""
    with transaction.atomic():
        for number in range(400):
            effects.make_group.delay_on_commit(str(number))

    group = task(effects.make_group)
    before, group.batch_size = group.batch_size, 20
    try:
        at_once(*[lambda: drain_task(group, "default")] * 3)
    finally:
        group.batch_size = before
    drain_all()  # on a busy machine the time of those drains ends before their work does
    assert sorted(effects.names(), key=int) == [str(number) for number in range(400)]
    assert sorted(effects.received, key=int) == [str(number) for number in range(400)]
