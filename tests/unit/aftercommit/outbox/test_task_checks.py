"""System checks of tasks and settings."""

from typing import Any

import pytest
from celery import Celery, Task, _state, current_app
from celery.contrib.django.task import DjangoTask
from django.core.checks import INFO, WARNING

from aftercommit.outbox import checks
from aftercommit.outbox.checks import check_tasks
from aftercommit.outbox.setting_checks import check_settings
from aftercommit.outbox.task import OutboxTask


def nothing() -> None:
    """What the test's tasks do."""


def task(name: str, **options: Any) -> Any:
    """Register a task for this test."""
    app: Any = current_app
    return app.task(options.pop("function", nothing), name=name, **options)


@pytest.fixture(autouse=True)
def _only_the_project_s_tasks() -> Any:
    """Forget the test's tasks."""
    app: Celery = current_app._get_current_object()
    before = dict(app.tasks)
    for name in [each for each in before if each.startswith(("tests.", "perf."))]:
        del app.tasks[name]
    yield
    app.tasks.clear()
    app.tasks.update(before)


def ids(messages: list[Any]) -> list[str]:
    """Return the messages' ids."""
    return [each.id for each in messages]


class TestTasks:
    """``check_tasks``."""

    def test_project(self) -> None:
        """The project's own tasks are durable."""
        assert check_tasks() == []

    def test_celerys_own(self) -> None:
        """A task with Celery's base class is named, and what to do."""
        task("other.lossy", base=DjangoTask)
        (message,) = check_tasks()
        assert message.id == "aftercommit.W010"
        assert "other.lossy" in message.msg
        assert "call_on_commit" in str(message.hint)

    def test_one_at_a_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the project makes some tasks durable itself, the others are a hint."""
        monkeypatch.setattr(checks, "_default_class", lambda: DjangoTask)
        task("other.lossy", base=DjangoTask)
        (message,) = check_tasks()
        assert (message.level, message.id) == (INFO, "aftercommit.I010")
        assert "from aftercommit import OutboxTask" in str(message.hint)

    def test_third_line_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no task is durable it is a warning: the class is missing."""
        monkeypatch.setattr(checks, "_default_class", lambda: DjangoTask)
        lossy = task("other.lossy", base=DjangoTask)
        monkeypatch.setattr(checks, "own_tasks", lambda: [lossy])
        (message,) = check_tasks()
        assert (message.level, message.id) == (WARNING, "aftercommit.W010")
        assert "task_cls='aftercommit.OutboxTask'" in str(message.hint)

    def test_plain(self) -> None:
        """One without any ``delay_on_commit`` is named too."""
        task("other.plain", base=Task)
        (message,) = check_tasks()
        assert (message.id, "other.plain" in message.msg) == ("aftercommit.I011", True)

    def test_many(self) -> None:
        """Of many the first are named."""
        for number in range(12):
            task(f"other.{number:02}", base=DjangoTask)
        assert "other.09 and 2 more" in check_tasks()[0].msg

    def test_coroutine(self) -> None:
        """A function that a call would not run is named."""

        async def coroutine() -> None: ...

        task("other.coroutine", function=coroutine)
        assert ids(check_tasks()) == ["aftercommit.W012"]

    def test_options(self) -> None:
        """So are options that durable calls can't keep."""
        task("other.pickled", serializer="pickle")
        task("other.expiring", expires="soon")
        assert ids(check_tasks()) == ["aftercommit.W013", "aftercommit.E014"]

    @pytest.mark.parametrize(
        ("base", "expected"), [(OutboxTask, "aftercommit.W021"), (DjangoTask, "aftercommit.I021")]
    )
    @pytest.mark.parametrize("name", ["apply_async", "Strategy", "Request"])
    def test_about_messages(self, base: Any, name: str, expected: str) -> None:
        """A task whose class has a lock, a header or a batch for its messages is named."""
        own = type("Own", (base,), {"abstract": True, name: lambda *args, **options: None})
        task("other.messages", base=own)
        message = check_tasks()[-1]
        assert message.id == expected
        assert f"other.messages ({name})" in message.msg
        assert "OUTBOX_CONTEXT" in str(message.hint)


class TestApp:
    """``check_app``."""

    def test_project(self) -> None:
        """The project's app is there."""
        assert checks.check_app() == []

    def test_fail(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process that never imported the project's app is told where to import it."""
        fallback = Celery("default", set_as_current=False, fixups=[])
        monkeypatch.setattr(checks, "current_app", fallback)
        (message,) = checks.check_app()
        assert message.id == "aftercommit.W018"
        assert "__init__.py" in str(message.hint)

    def test_app_of_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An app that was made before the project's is named: threads use it."""
        assert checks.check_app_of_threads() == []
        earlier = Celery("earlier", set_as_current=False, fixups=[])
        monkeypatch.setattr(_state, "default_app", earlier)
        (message,) = checks.check_app_of_threads()
        assert message.id == "aftercommit.W019"
        assert f"'earlier', which was made before {_state.get_current_app().main!r}" in message.msg
        assert "app.set_default()" in str(message.hint)


class TestSettings:
    """``check_settings``."""

    def test_project(self) -> None:
        """The project's settings are known."""
        assert check_settings() == []

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("OUTBOX_SWEEP_INTERVALL", 2, "aftercommit.W015"),
            ("OUTBOX_EVENTS", "failure", "aftercommit.E016"),
            ("OUTBOX_CONTEXT", {"a": "no.such.Carrier"}, "aftercommit.E017"),
            (
                "OUTBOX_CONTEXT",
                {"a": "aftercommit.outbox.calling.call_on_commit"},
                "aftercommit.E017",
            ),
        ],
    )
    def test_fail(self, settings: Any, name: str, value: Any, expected: str) -> None:
        """A setting that there isn't, and a value that it can't have, are named."""
        setattr(settings, name, value)
        assert ids(check_settings()) == [expected]
