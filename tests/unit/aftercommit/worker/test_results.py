"""Results of calls, under the calls' ids."""

from typing import Any

import pytest
from celery import current_app, shared_task
from celery.exceptions import Ignore
from celery.result import AsyncResult
from django.contrib.auth.models import Group
from django.db import connection
from django_celery_results.backends import CacheBackend, DatabaseBackend
from django_celery_results.models import TaskResult

from aftercommit.models import OutboxCall
from aftercommit.worker.drain import drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)


@shared_task(ignore_result=False, max_retries=1, retry_backoff=False, default_retry_delay=0)
def answer(name: str) -> dict[str, str]:
    """A row and a result, or an error."""
    Group.objects.create(name=name)
    if name == "bad":
        raise ValueError("no")
    if name == "ignored":
        raise Ignore
    return {"name": name}


@shared_task(ignore_result=True, store_errors_even_if_ignored=True, max_retries=0)
def answer_nothing(name: str) -> None:
    """A row, or an error."""
    answer.run(name)


class TestResult:
    """What a call returned, under its id."""

    def test_kept(self) -> None:
        """A task with ``ignore_result=False`` has its result."""
        call = answer.delay_on_commit("a")
        drain_all()
        assert AsyncResult(call.id).get(timeout=1) == {"name": "a"}
        assert TaskResult.objects.get().task_name == answer.name

    def test_rolls_back_with_the_effect(self) -> None:
        """Neither is there without the other."""
        Group.objects.create(name="a")
        call = answer.delay_on_commit("a")
        drain_all()
        assert AsyncResult(call.id).status == "FAILURE"

    def test_of_a_failure(self) -> None:
        """A dead letter's error is its result."""
        call = answer.delay_on_commit("bad")
        drain_all()
        result: Any = AsyncResult(call.id)
        assert result.status == "FAILURE"
        assert isinstance(result.result, ValueError)
        assert "ValueError: no" in str(result.traceback)

    def test_of_a_failure_whose_result_is_ignored(self) -> None:
        """``store_errors_even_if_ignored`` keeps errors, and no results."""
        calls = [answer_nothing.delay_on_commit(name) for name in ("good", "bad")]
        drain_all()
        assert [AsyncResult(call.id).status for call in calls] == ["PENDING", "FAILURE"]

    def test_none(self) -> None:
        """Others have none, nor has a call that says so."""
        effects.make_group.delay_on_commit("a")
        answer.apply_async_on_commit(["b"], ignore_result=True)
        answer.delay_on_commit("ignored")
        drain_all()
        assert effects.names() == ["a", "b", "ignored"]
        assert not TaskResult.objects.exists()

    def test_asked_for_by_the_call(self) -> None:
        """A call may ask for a result that its task doesn't keep."""
        call = effects.make_group.apply_async_on_commit(["a"], ignore_result=False)
        drain_all()
        assert AsyncResult(call.id).status == "SUCCESS"

    def test_outside(self) -> None:
        """A call with outside effects has its result too."""

        @shared_task(name="tests.outside_result", atomic=False, ignore_result=False)
        def outside() -> int:
            return 7

        call = outside.delay_on_commit()
        drain_all()
        assert AsyncResult(call.id).get(timeout=1) == 7

    def test_outside_that_cannot_be_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        """An effect that was had is not had again for a result that JSON can't carry."""
        runs: list[str] = []

        @shared_task(name="tests.outside_object", atomic=False, ignore_result=False)
        def outside() -> object:
            runs.append("run")
            return object()

        call = outside.delay_on_commit()
        assert (drain_all().settled, runs) == (1, ["run"])
        assert not OutboxCall.objects.exists()
        assert f"tests.outside_object[{call.id}]: its result is lost" in caplog.text

    def test_outside_that_ignores_itself(self) -> None:
        """A call that raises Ignore has no result."""

        @shared_task(name="tests.outside_ignored", atomic=False, ignore_result=False)
        def outside() -> None:
            raise Ignore

        outside.delay_on_commit()
        assert drain_all().settled == 1
        assert not TaskResult.objects.exists()


class TestBackend:
    """Where a result goes."""

    @pytest.fixture
    def stored_in(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """Return whether a transaction was open, for each result that was stored."""
        stored: list[bool] = []

        def mark_as_done(*args: Any, **kwargs: Any) -> None:
            stored.append(connection.in_atomic_block)

        for backend in (CacheBackend, DatabaseBackend):
            monkeypatch.setattr(backend, "mark_as_done", mark_as_done)
        return stored

    @pytest.fixture
    def call(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Return a function that has the task called and run, with results in this backend."""

        def call(backend: Any) -> None:
            app: Any = current_app._get_current_object()
            monkeypatch.setattr(current_app.tasks[answer.name], "backend", backend(app=app))
            answer.delay_on_commit("a")
            assert drain_all().settled == 1

        return call

    def test_database(self, stored_in: list[bool], call: Any) -> None:
        """It commits with the effect in a database, also by a class of the project's own."""
        call(type("Own", (DatabaseBackend,), {}))
        assert stored_in == [True]

    def test_cache(self, stored_in: list[bool], call: Any) -> None:
        """A cache is told after the commit: it would keep the result of a run that rolls back."""
        call(CacheBackend)
        assert stored_in == [False]

    def test_another_database(self, stored_in: list[bool], call: Any, settings: Any) -> None:
        """So is a database that is not the call's."""
        settings.DATABASE_ROUTERS = [Elsewhere()]
        call(DatabaseBackend)
        assert stored_in == [False]


class Elsewhere:
    """A router by which results have a database of their own."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        """Return the alias for results, and none for others."""
        return "elsewhere" if model is TaskResult else None


class TestState:
    """``self.update_state()`` of a call."""

    @pytest.mark.parametrize("atomic", [True, False])
    def test_is_kept(self, atomic: bool) -> None:
        """A call's own state is kept under its id, and with an error of the call it is gone."""
        states: list[Any] = []

        @shared_task(name=f"tests.state_{atomic}", bind=True, atomic=atomic, max_retries=0)
        def work(self: Any, fails: bool) -> None:
            self.update_state(state="PROGRESS", meta={"done": 1})
            states.append(AsyncResult(self.request.id).status)
            if fails:
                raise ValueError("no")

        calls = [work.delay_on_commit(fails) for fails in (False, True)]
        drain_all()
        assert {*states} == {"PROGRESS"}
        ends = [AsyncResult(call.id).status for call in calls]
        assert ends == ["PROGRESS", "PENDING" if atomic else "PROGRESS"]
