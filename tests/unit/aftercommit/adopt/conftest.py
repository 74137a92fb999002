"""A small project in a folder, and what is found in it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from celery import _state, current_app

from aftercommit.adopt.finding import Finding
from aftercommit.adopt.report import look

Look = Callable[..., list[tuple[str, str, str]]]


class Project:
    """A folder with modules that nobody imports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> Path:
        """Write a module of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
        return path

    def findings(self, **modules: str) -> list[Finding]:
        """Return what is found in these modules: ``shop_tasks="…"`` is ``shop/tasks.py``."""
        for name, text in modules.items():
            self.write(_path(name), text)
        return list(look([self.folder]).findings)

    def found(self, **modules: str) -> list[tuple[str, str]]:
        """Return the kinds of what is found, with the lines."""
        return [(each.kind.value, each.source) for each in self.findings(**modules)]


def _path(name: str) -> str:
    """Return the path of a module that is named as an argument: ``shop_tasks``."""
    folder, _, module = name.partition("_")
    return f"{folder}/{module}.py"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project without files, whose folder is one of Python's."""
    monkeypatch.syspath_prepend(tmp_path)
    return Project(tmp_path)


@pytest.fixture(autouse=True)
def _tasks() -> Iterator[None]:
    """Hide the tasks of the tests' other modules. A test's own tasks are forgotten after it.

    A shared task is one of each Celery app that is there, and that a later test makes, too.
    """
    app, shared = current_app._get_current_object(), set(_state._on_app_finalizers)
    tasks = dict(app.tasks)
    for name in [each for each in tasks if each.startswith("tests.")]:
        app.tasks.pop(name)
    yield
    for other in [each for each in _state._get_active_apps() if each.finalized]:
        for name in [each for each in other.tasks if each.startswith("shop.")]:
            other.tasks.pop(name)
    app.tasks.clear()
    app.tasks.update(tasks)
    _state._on_app_finalizers.intersection_update(shared)


@pytest.fixture
def registry() -> Iterator[Any]:
    """Return the Celery app. The modules imported meanwhile are forgotten after."""
    modules = set(sys.modules)
    yield current_app._get_current_object()
    for name in set(sys.modules) - modules:
        del sys.modules[name]
