"""The tasks of a project: those that are registered, and those that only its code names."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from celery import Celery

from aftercommit.adopt.facts import Decorator, Function
from aftercommit.adopt.files import is_installed
from aftercommit.adopt.loaded import loaded
from aftercommit.adopt.project import Project
from aftercommit.outbox.checks import own_tasks
from aftercommit.outbox.task_function import original_run
from aftercommit.outbox.task_options import Options

SHARED_TASK = ("celery.shared_task", "celery.app.shared_task")


class Tasks:
    """The tasks of a project, by the functions that they run."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.registered: list[Any] = own_tasks()
        self.by_function: Mapping[Function, Any] = dict(self._registered_functions())

    def _registered_functions(self) -> Iterator[tuple[Function, Any]]:
        for task in self.registered:
            if function := self.function(task):
                yield function, task

    def function(self, task: Any) -> Function | None:
        """Return the function of a registered task if it is in the project's files."""
        code = code_of(task)
        module = code and self.project.files.get(Path(code.co_filename).resolve())
        if not module:
            return None
        name = code.co_qualname.replace(".<locals>", "")
        return module.functions.get(f"{module.source.module}.{name}")

    def task(self, name: str) -> Any:
        """Return the registered task for a dotted name, or None."""
        found = self.project.find(name)
        if isinstance(found, Function) and found in self.by_function:
            return self.by_function[found]
        by_name = {each.name: each for each in self.registered}
        return by_name.get(name)

    def atomic(self) -> Iterator[Function]:
        """Yield the functions of the tasks whose calls are atomic."""
        for function in self.project.functions:
            task = self.by_function.get(function)
            if task is not None:
                if Options.of(task).atomic:
                    yield function
            elif any(is_task(each) and _is_atomic(each) for each in function.decorators):
                yield function


def code_of(task: Any) -> Any:
    """Return the code of a registered task's function, or None if it is written in C."""
    function = inspect.unwrap(original_run(task))
    return getattr(function, "__code__", None)


def is_third_party(task: Any) -> bool:
    """Return whether the task is of an installed package."""
    file = getattr(sys.modules.get(type(task).__module__), "__file__", None)
    return file is None or is_installed(Path(file).resolve())


def is_task(decorator: Decorator) -> bool:
    """Return whether the decorator makes a Celery task: ``@shared_task`` or an app's ``@task``."""
    name = decorator.name.removesuffix("()")
    if name in SHARED_TASK:
        return True
    root, _, last = name.rpartition(".")
    if last != "task":
        return False
    app = root.rpartition(".")[2].removesuffix("()")
    return isinstance(loaded(root), Celery) or "app" in app or "celery" in app


def _is_atomic(decorator: Decorator) -> bool:
    return decorator.keywords.get("atomic", True) is not False
