"""Registered tasks whose class is not durable, and classes that hide a durable method."""

from typing import Any

import celery
import pytest
from celery.contrib.django.task import DjangoTask

from tests.unit.aftercommit.adopt.conftest import Project

HEAD = "import celery\nfrom aftercommit import OutboxTask\n"


def work() -> None:
    """Do nothing."""


def imported(project: Project, code: str) -> Any:
    """Write a module of the project, import it and return it."""
    project.write("adopted_bases.py", HEAD + code)
    import adopted_bases  # type: ignore[import-not-found]

    return adopted_bases


def advice(project: Project) -> list[tuple[str, str]]:
    """Return the lines and the advice of what is found of classes."""
    found = [each for each in project.findings() if each.kind.value == "task-class"]
    return [(each.source, each.advice) for each in found]


def test_durable(project: Project, registry: Any) -> None:
    """A class of the project above the library's is as durable."""
    code = "class Base(OutboxTask):\n    abstract = True\n    def __call__(self): ...\n"
    module = imported(project, code)
    registry.task(work, name="adopted.work", base=module.Base)
    assert advice(project) == []


def test_other_class(project: Project, registry: Any) -> None:
    """A class of the project that isn't durable is named once, with its tasks."""
    module = imported(project, "class Base(celery.Task):\n    abstract = True\n")
    registry.task(work, name="adopted.one", base=module.Base)
    registry.task(work, name="adopted.two", base=module.Base)
    ((line, said),) = advice(project)
    assert line == "class Base(celery.Task):"
    assert said == "Write class Base(OutboxTask, …): it is the class of adopted.one, adopted.two."


def test_celerys_class(project: Project, registry: Any) -> None:
    """For Celery's own class, the app's line is what to change."""
    registry.task(work, name="adopted.one", base=DjangoTask)
    ((line, said),) = advice(project)
    assert line == "Celery's own class is that of adopted.one"
    assert "task_cls='aftercommit.OutboxTask'" in said


@pytest.mark.parametrize("method", ["delay_on_commit", "apply_async_on_commit", "using"])
def test_hidden_method(project: Project, registry: Any, method: str) -> None:
    """A mixin's method before the library's is named, unless it calls the library's."""
    code = (
        f"class Mixin:\n    def {method}(self, *args):\n        self.delay(*args)\n"
        f"class Good:\n    def {method}(self, *args):\n        return super().{method}(*args)\n"
        "class Base(Mixin, OutboxTask):\n    abstract = True\n"
        "class Fine(Good, OutboxTask):\n    abstract = True\n"
    )
    module = imported(project, code)
    registry.task(work, name="adopted.fine", base=module.Fine)
    assert advice(project) == []
    registry.task(work, name="adopted.work", base=module.Base)
    ((line, said),) = advice(project)
    assert line == f"def {method}(self, *args):"
    assert said == f"Drop Mixin.{method}(), which hides the durable one of adopted.work."


def test_sending_method(project: Project, registry: Any) -> None:
    """An ``apply_async`` of the project's is named: durable calls don't go through it."""
    code = (
        "class Base(OutboxTask):\n    abstract = True\n"
        "    def apply_async(self, *args, **options):\n"
        "        return super().apply_async(*args, **options)\n"
    )
    module = imported(project, code)
    registry.task(work, name="adopted.work", base=module.Base)
    ((line, said),) = advice(project)
    assert line == "def apply_async(self, *args, **options):"
    assert "OUTBOX_CONTEXT" in said


def test_task_of_a_class(project: Project, registry: Any) -> None:
    """A task that is written as a class is named at the class."""
    code = "class Work(celery.Task):\n    name = 'adopted.work'\n    def run(self): ...\n"
    registry.register_task(imported(project, code).Work())
    ((line, _),) = advice(project)
    assert line == "class Work(celery.Task):"


def test_third_party(project: Project, registry: Any) -> None:
    """A task of an installed package is listed apart, and is no finding."""
    from aftercommit.adopt.report import look

    registry.task(celery.utils.uuid, name="other.work", base=celery.Task)
    report = look([project.folder])
    assert (report.third_party, report.findings) == (["other.work"], [])
    assert "call_on_commit(task, args, kwargs)" in report.as_text(project.folder)
