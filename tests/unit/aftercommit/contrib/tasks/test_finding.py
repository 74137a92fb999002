"""A worker that has not imported a task yet: it imports the tasks that the outbox names."""

from pathlib import Path

import pytest
from celery import current_app
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from aftercommit.contrib.tasks import finder
from aftercommit.contrib.tasks.api import Task
from aftercommit.contrib.tasks.backend import OutboxBackend
from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task, list_tasks
from aftercommit.worker.drain import drain_all
from aftercommit.worker.tasks import drain
from tests.unit.aftercommit.contrib.tasks import defined

MAKE_GROUP = f"{defined.__name__}.make_group"


class Mine(OutboxBackend):
    """A backend of a project's own."""


class TestFinding:
    """A worker that has not imported the task yet."""

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("changes", [{}, {"queue_name": "slow"}, {"backend": "once"}])
    def test_found(self, changes: dict[str, str]) -> None:
        """The worker imports it by the name of its calls."""
        defined.make_group.using(**changes).enqueue("a")
        name = OutboxCall.objects.get().task
        current_app.tasks.pop(name)
        drain_all()
        assert defined.names() == ["a"]

    def test_registered(self) -> None:
        """A worker knows the tasks that it has imported when it starts."""
        defined.make_group.using(queue_name="slow")
        tasks = list_tasks()
        assert MAKE_GROUP in tasks
        assert f"{defined.__name__}.plain" not in tasks
        with override_settings(TASKS={}):
            current_app.tasks.pop(MAKE_GROUP)
            assert MAKE_GROUP not in list_tasks()

    def test_not_in_use(self) -> None:
        """A project whose TASKS names another backend has no such tasks."""
        with override_settings(TASKS={}):
            assert find_task(MAKE_GROUP) is None

    def test_task_of_another_backend(self, caplog: pytest.LogCaptureFixture) -> None:
        """A task whose backend is none of the library's is left to that backend."""
        root = Task.__module__.rpartition(".")[0]
        immediate = {"BACKEND": f"{root}.backends.immediate.ImmediateBackend"}
        mine = {"BACKEND": f"{__name__}.Mine"}
        with override_settings(TASKS={"default": immediate, "mine": mine}):
            assert find_task(MAKE_GROUP) is None
            assert find_task(f"{MAKE_GROUP}?backend=mine") is not None
        assert caplog.text == ""

    def test_no_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where TASKS names the backend, and neither Django nor a package has tasks."""

        def refuse(path: str) -> None:
            raise ImproperlyConfigured(path)

        monkeypatch.setattr(finder, "import_string", refuse)
        assert find_task(MAKE_GROUP) is None

    def test_subclass(self) -> None:
        """A subclass of the backend is found as well."""
        subclass = f"{__name__}.Mine"
        with override_settings(TASKS={"default": {"BACKEND": subclass}}):
            assert find_task(MAKE_GROUP).django_task == defined.make_group

    @pytest.mark.parametrize(
        "name",
        [
            "os.system",
            "os.path",
            f"{defined.__name__}.plain",
            f"{defined.__name__}.nothing",
            "no.such.module",
            f"{MAKE_GROUP}?backend=missing",
            f"{MAKE_GROUP}?queue_name=missing",
            f"{MAKE_GROUP}?priority=3",
            f"{MAKE_GROUP}?func=os.system",
            "name",
            "",
            "..",
            "a..b",
            "../../etc",
            "__import__('os').system",
        ],
    )
    def test_no_task(self, name: str) -> None:
        """A name that is not a task's finds nothing, whatever is there."""
        assert find_task(name) is None

    def test_module_that_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A module that can't be imported is named once, and keeps no other task waiting."""
        (tmp_path / "broken_tasks.py").write_text("1 / 0")
        monkeypatch.syspath_prepend(tmp_path)
        assert find_task("broken_tasks.do") is None
        assert find_task("broken_tasks.do") is None
        assert caplog.text.count("ZeroDivisionError") == 1

    @pytest.mark.django_db
    def test_message(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A message from the broker has nothing imported that the outbox doesn't name."""
        (tmp_path / "forged_tasks.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
        monkeypatch.syspath_prepend(tmp_path)
        drain("forged_tasks.do", "default")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.django_db(transaction=True)
    def test_message_of_a_call(self) -> None:
        """A wake-up for a task that this process hasn't imported drains its calls."""
        defined.make_group.enqueue("a")
        current_app.tasks.pop(MAKE_GROUP)
        drain(MAKE_GROUP, "default")
        assert defined.names() == ["a"]
