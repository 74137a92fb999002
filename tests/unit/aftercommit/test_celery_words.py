"""The page of Celery's features has every word that Celery has for a task, its call or its run."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from celery import Task, signals
from celery.app.amqp import AMQP
from celery.app.defaults import NAMESPACES, flatten
from celery.app.task import Context

from aftercommit.outbox.call_options import HONOURED
from tests.unit.aftercommit import effects
from tests.unit.aftercommit.reference import REFERENCE, in_code

MACHINERY = {
    "AsyncResult", "MaxRetriesExceededError", "OperationalError", "abstract", "add_around",
    "annotate", "app", "as_execution_options", "bind", "clear", "from_config", "get", "on_bound",
    "on_replace", "pop_request", "push_request", "request_stack", "self", "signature_from_request",
    "start_strategy", "subtask", "subtask_from_request", "update", "children", "add_trail", "utc",
    "after_setup_task_logger",
}  # fmt: skip
"""Celery's own means, which promise nothing to the author of a task."""


def named() -> set[str]:
    """Return the words that the page's tables show as code."""
    lines = (REFERENCE / "celery.md").read_text().splitlines()
    cells = [line for line in lines if line.startswith("|")]
    codes = [code for line in cells for code in in_code(line)]
    return {*re.findall(r"\w+", " ".join(codes))}


def of_a_task() -> set[str]:
    """Return the options and the methods of a task."""
    return {name for name in vars(Task) if not name.startswith("_")}


def of_a_call() -> set[str]:
    """Return the options of a call."""
    functions = (AMQP.as_task_v2, Task.apply_async)
    taken = {name for function in functions for name in inspect.signature(function).parameters}
    described = re.findall(r"^ +(\w+) \(", inspect.getdoc(Task.apply_async) or "", re.M)
    return {*taken, *described} - {"name", "options"}


def of_a_run() -> set[str]:
    """Return what a request has."""
    return {name for name in vars(Context) if not name.startswith("_")}


def of_settings() -> set[str]:
    """Return the settings that are about tasks."""
    names = [each[0] for each in flatten(NAMESPACES)]
    return {name for name in names if name.startswith("task_")}


def of_signals() -> set[str]:
    """Return the signals that are about tasks."""
    return {name for name in signals.__all__ if "task" in name}


@pytest.mark.parametrize("words", [of_a_task, of_a_call, of_a_run, of_settings, of_signals])
def test_every_word(words: Callable[[], set[str]]) -> None:
    """Each is honoured, refused or different, and the page says which of the three."""
    assert sorted(words() - MACHINERY - named()) == []


def test_every_option_of_a_call() -> None:
    """What a durable call can't have is refused by its name, before anything is stored."""
    call: Any = effects.make_group.apply_async_on_commit
    taken = {"self", "args", "kwargs", "countdown", "eta", *HONOURED}
    for name in sorted(of_a_call() - taken):
        with pytest.raises(TypeError, match=f"not {name}\\."):
            call(["a"], **{name: 1})
