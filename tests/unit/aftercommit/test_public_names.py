"""The names that ``aftercommit`` itself has."""

import subprocess
import sys

import pytest
from celery import Celery

import aftercommit


def run(code: str) -> str:
    """Run the code in a Python that has no settings and has imported nothing."""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.mark.parametrize("name", aftercommit.__all__)
def test_there(name: str) -> None:
    """Each public name is found, is listed, and is kept once it was found."""
    value = getattr(aftercommit, name)
    assert name in dir(aftercommit)
    assert vars(aftercommit)[name] is value


def test_no_other() -> None:
    """Another name is refused as by any module."""
    with pytest.raises(AttributeError, match="'aftercommit' has no attribute 'NoTask'"):
        aftercommit.NoTask  # noqa: B018


def test_star() -> None:
    """They are what a star imports."""
    names: dict[str, object] = {}
    exec("from aftercommit import *", names)  # noqa: S102
    assert set(aftercommit.__all__) <= set(names)


def test_cheap() -> None:
    """Importing the package imports neither Celery nor Django: settings may do it."""
    code = "import sys, aftercommit; print({'celery', 'django'} & set(sys.modules))"
    assert run(code) == "set()"


def test_before_django() -> None:
    """The task class is there before Django has its settings: a Celery app names it."""
    code = "from aftercommit import OutboxTask; print(OutboxTask.__name__)"
    assert run(code) == "OutboxTask"


def test_task_class() -> None:
    """``task_cls="aftercommit.OutboxTask"`` is what it says."""
    app = Celery("project", task_cls="aftercommit.OutboxTask", set_as_current=False, fixups=[])
    assert issubclass(app.Task, aftercommit.OutboxTask)
