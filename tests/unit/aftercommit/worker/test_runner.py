"""A call is a task: its function sees a request of the call's own."""

from typing import Any

import pytest
from celery import Task, current_task, shared_task
from django.contrib.auth.models import Group
from django.db import transaction

from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import call_on_commit
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

told: list[Any] = []
"""What functions saw."""


@pytest.fixture(autouse=True)
def _nothing_was_seen() -> None:
    told.clear()


@shared_task(bind=True, max_retries=1, retry_backoff=False, default_retry_delay=0)
def look(self: Any, *args: Any, **kwargs: Any) -> str:
    """Keep what it sees of its request."""
    request = self.request
    assert current_task.request.id == request.id
    told.append(
        {
            "id": request.id,
            "args": list(request.args),
            "kwargs": dict(request.kwargs),
            "retries": request.retries,
            "directly": request.called_directly,
            "eager": request.is_eager,
            "hostname": request.hostname,
            "headers": request.headers,
        }
    )
    if kwargs.get("fails"):
        raise ValueError("no")
    return "seen"


class TestRequest:
    """``task.request`` of a call."""

    def test_of_a_call(self) -> None:
        """A call has a request of its own, as a message's task has."""
        call = look.delay_on_commit(1, name="a")
        drain_all()
        (seen,) = told
        assert seen.pop("hostname")
        assert seen == {
            "id": call.id,
            "args": [1],
            "kwargs": {"name": "a"},
            "retries": 0,
            "directly": False,
            "eager": False,
            "headers": {},
        }

    def test_id_is_known_and_stays(self) -> None:
        """The id is known when the call is made, is the row's, and stays over retries."""
        with transaction.atomic():
            call = look.delay_on_commit(fails=True)
            assert not OutboxCall.objects.exists()
        assert OutboxCall.objects.get().pk == call.pk
        assert str(call) == call.id == str(call.pk)
        drain_all()
        assert [seen["id"] for seen in told] == [call.id] * 2
        assert [seen["retries"] for seen in told] == [0, 1]

    def test_headers(self) -> None:
        """Headers that a call was made with are in its request."""
        look.apply_async_on_commit(headers={"tenant": "a"})
        drain_all()
        assert told[0]["headers"] == {"tenant": "a"}

    def test_headers_are_attributes(self) -> None:
        """As in Celery, a header is an attribute of the request, too. None hides another value."""
        seen: list[Any] = []

        @shared_task(name="tests.headers", bind=True)
        def see(self: Any) -> None:
            request = self.request
            seen.append((request.tenant, request.id, request.callbacks, len(request.outbox_calls)))

        headers = {"tenant": "a", "id": "b", "callbacks": ["c"], "outbox_calls": []}
        call = see.apply_async_on_commit(headers=headers)
        drain_all()
        assert seen == [("a", call.id, None, 1)]

    def test_tree(self) -> None:
        """A call begins a tree of its own, also if another call makes it."""
        trees: list[Any] = []

        @shared_task(name="tests.tree", bind=True, time_limit=9, soft_time_limit=5)
        def grow(self: Any, deeper: bool) -> None:
            request = self.request
            trees.append((request.id, request.root_id, request.correlation_id, request.parent_id))
            assert (request.time_limit, request.soft_time_limit) == (9, 5)
            assert request.as_execution_options()["root_id"] == request.id
            if deeper:
                grow.delay_on_commit(False)

        grow.delay_on_commit(True)
        drain_all()
        assert [tree[1:] for tree in trees] == [(tree[0], tree[0], None) for tree in trees]
        assert len({*trees}) == 2

    def test_is_gone_after_the_call(self) -> None:
        """After a call, and after one that failed, the task has no request any more."""
        look.delay_on_commit()
        look.delay_on_commit(fails=True)
        drain_all()
        assert look.request.id is None
        assert not current_task


class TestUnrunnable:
    """Functions that a call would not run."""

    def test_coroutine(self) -> None:
        """A coroutine function is refused at the call."""

        @shared_task(name="tests.coroutine")
        async def coroutine() -> None: ...

        with pytest.raises(TypeError, match="is a coroutine function"):
            coroutine.delay_on_commit()

    def test_generator(self) -> None:
        """So is a generator function."""

        @shared_task(name="tests.generator")
        def generator() -> Any:
            yield

        with pytest.raises(TypeError, match="is a generator function"):
            generator.delay_on_commit()

    def test_returned(self) -> None:
        """A function that returns one has failed: nothing of it was run."""

        @shared_task(name="tests.returns_generator", max_retries=0)
        def returns() -> Any:
            return (each for each in "ab")

        returns.delay_on_commit()
        assert drain_all().dead == 1
        assert "of which nothing has been run" in OutboxCall.objects.get().error


def test_task_of_any_class() -> None:
    """A task with a base class that knows nothing of the outbox is called durably."""

    @shared_task(bind=True, base=Task, name="tests.plain", max_retries=2)
    def plain(self: Any, name: str) -> None:
        told.append((name, self.request.retries))
        if self.request.retries == 0:
            raise self.retry(countdown=0, args=[f"{name} again"])
        Group.objects.create(name=name)

    call = call_on_commit(plain, ["a"])
    report = drain_all()
    assert (report.settled, report.retried) == (1, 1)
    assert told == [("a", 0), ("a again", 1)]
    assert effects.names() == ["a again"]
    assert call.task == "tests.plain"
