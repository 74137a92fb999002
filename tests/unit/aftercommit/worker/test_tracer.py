"""Celery's tracer, wrapped by a library that watches tasks: a call ends as it does without."""

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

import pytest
from celery import Task, current_app, shared_task
from celery.app import trace
from celery.exceptions import Ignore, Reject
from celery.signals import task_postrun, task_prerun
from django.contrib.auth.models import Group

from aftercommit.models import OutboxCall
from aftercommit.outbox.calling import call_on_commit
from aftercommit.worker.drain import drain_all
from aftercommit.worker.listeners import worker_init_come_last
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

told: list[Any] = []
"""What hooks, signals and the function saw, run by run."""


class Hooked(Task):  # type: ignore[misc]  # has no types
    """A class with Celery's hooks, each of which tells of itself."""

    abstract = True

    def before_start(self, *args: Any) -> None:
        told.append("before_start")

    def on_success(self, *args: Any) -> None:
        told.append("on_success")

    def on_failure(self, *args: Any) -> None:
        told.append("on_failure")

    def on_retry(self, *args: Any) -> None:
        told.append("on_retry")

    def after_return(self, status: str, *args: Any) -> None:
        told.append(f"after_return {status}")


def run(self: Any, name: str, fail: str) -> None:
    """Make a row, and end as ``fail`` says."""
    told.append((self.request.is_eager, self.request.called_directly, self.request.retries))
    Group.objects.create(name=f"{name} {self.request.retries}")
    match fail:
        case "retry" if not self.request.retries:
            raise self.retry(countdown=0)
        case "throws":
            raise KeyError(name)
        case "ignore":
            raise Ignore
        case "reject" | "requeue":
            raise Reject(name, requeue=fail == "requeue")
        case "replace":
            self.replace(linked.si())


@shared_task
def linked() -> None:
    """What replaces a call."""
    told.append("replaced")


options: Any = {"max_retries": 1, "retry_backoff": False, "default_retry_delay": 0}
hooked: Any = shared_task(bind=True, base=Hooked, throws=(KeyError,), **options)(run)


class Proxy:
    """A wrapper that passes for what it wraps, as those of wrapt do."""

    def __init__(self, wrapped: Callable[..., Any], wrapper: Callable[..., Any]) -> None:
        self.__code__ = wrapped.__code__
        self.wrapper = wrapper

    __class__: Any = FunctionType

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.wrapper(*args, **kwargs)


def wrap_tracer(monkeypatch: pytest.MonkeyPatch, *, passes_for_it: bool = False) -> list[str]:
    """Wrap the tracer as an error tracker does; return the ids that the wrapper is told."""
    build, traced = trace.build_tracer, list[str]()

    @wraps(build)
    def build_wrapped(*args: Any, **kwargs: Any) -> Any:
        tracer = build(*args, **kwargs)

        def trace_call(id: str, *values: Any) -> Any:
            traced.append(id)
            return tracer(id, *values)

        return trace_call

    wrapper = Proxy(build, build_wrapped) if passes_for_it else build_wrapped
    monkeypatch.setattr(trace, "build_tracer", wrapper)
    return traced


def end(name: str, fail: str) -> Any:
    """Call the task, and return all that became of the call."""
    told.clear()
    call_on_commit(hooked, [name, fail])
    report = drain_all()
    rows = list(OutboxCall.objects.values_list("status", "attempts"))
    groups = [each.removeprefix(name) for each in effects.names()]
    OutboxCall.objects.all().delete()
    Group.objects.all().delete()
    return told[:], (report.settled, report.retried, report.dead), rows, groups


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("fail", ["", "retry", "throws", "ignore", "reject", "requeue", "replace"])
def test_ends_as_without(fail: str, atomic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks, retries, ``Reject`` and the rest mean what they mean without a wrapper."""
    monkeypatch.setattr(current_app.tasks[hooked.name], "atomic", atomic, raising=False)
    without = end("a", fail)
    traced = wrap_tracer(monkeypatch)
    assert end("b", fail) == without
    assert traced


def test_wrapper_that_passes_for_the_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapper is found that says that it is a function, and shows the tracer's own code."""
    traced = wrap_tracer(monkeypatch, passes_for_it=True)
    call = effects.make_group.delay_on_commit("a")
    drain_all()
    assert traced == [call.id]


def test_hook_that_fails_after_an_outside_effect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the effect is not had again."""
    traced, task = wrap_tracer(monkeypatch), current_app.tasks[hooked.name]
    monkeypatch.setattr(task, "atomic", False, raising=False)
    monkeypatch.setattr(Hooked, "on_success", lambda *args: 1 / 0)
    ends, report, *_ = end("a", "")
    assert ends == ["before_start", (False, False, 0)]
    assert report == (1, 0, 0)
    assert len(traced) == 1
    assert "a hook failed after the call" in caplog.text


def test_hook_that_fails_before_an_outside_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails the call, which has not begun."""
    wrap_tracer(monkeypatch)
    monkeypatch.setattr(current_app.tasks[hooked.name], "atomic", False, raising=False)
    monkeypatch.setattr(Hooked, "before_start", lambda *args: 1 / 0)
    assert end("a", "")[1] == (0, 1, 1)


def test_celerys_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a worker Celery's receivers, which close connections, are told of an eager request."""
    seen: list[Any] = []

    def see(task: Any, **kwargs: Any) -> None:
        seen.append(task.request.is_eager)

    wrap_tracer(monkeypatch)
    for signal in (task_prerun, task_postrun):
        signal.connect(see)
    worker_init_come_last()  # as a worker's start does, behind the receivers that Celery connects
    ends, *_ = end("a", "")
    for signal in (task_prerun, task_postrun):
        signal.disconnect(see)
    assert seen == [True, True]
    assert (False, False, 0) in ends
