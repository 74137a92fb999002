"""Task classes that a project writes itself: bases, mixins, tasks that are classes."""

from collections.abc import Iterator
from functools import partialmethod
from typing import Any

import celery
import pytest
from celery import _state, current_app, shared_task
from celery.contrib.django.task import DjangoTask
from django.contrib.auth.models import Group
from django.db import transaction

from aftercommit import OutboxTask, call_on_commit, drain_all
from tests.unit.aftercommit import effects

pytestmark = pytest.mark.django_db(transaction=True)

said: list[str] = []
"""What the hooks of the test's tasks say."""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Forget the test's tasks, and what they said. Apps that later tests make don't have them."""
    app: Any = current_app._get_current_object()
    before, of_new_apps = dict(app.tasks), set(_state._on_app_finalizers)
    said.clear()
    yield
    app.tasks.clear()
    app.tasks.update(before)
    _state._on_app_finalizers.intersection_update(of_new_apps)


class Mixin:
    """Hooks, as projects have them."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Say so."""
        said.append("before_start")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Say so around the call."""
        said.append("begin")
        result = super().__call__(*args, **kwargs)  # type: ignore[misc]
        said.append("end")
        return result

    def on_success(self, *args: Any) -> None:
        """Say so."""
        said.append("on_success")

    def on_failure(self, *args: Any) -> None:
        """Say so."""
        said.append("on_failure")


class Base(Mixin, OutboxTask):
    """The usual way: mixins before the library's class."""

    abstract = True
    max_retries = 0


class Celerys(celery.Task):
    """A class above Celery's own, which other classes are made of."""

    abstract = True
    label = "ours"


class Both(Celerys, OutboxTask):
    """The class of before, and durable."""

    abstract = True


class BothDjango(Mixin, DjangoTask):
    """A class above Celery's class for Django."""

    abstract = True


class BothAgain(BothDjango, OutboxTask):
    """The class of before, and durable."""

    abstract = True


def make_group(self: Any, group: str) -> None:
    """Make a group, as a method."""
    Group.objects.create(name=group)


def make_group_alone(group: str) -> None:
    """Make a group, as a function."""
    Group.objects.create(name=group)


def make(base: type, name: str = "tests.of_base", **options: Any) -> Any:
    """Return a task of the class that makes a group."""

    @shared_task(base=base, name=name, bind=True, **options)
    def of_base(self: Any, group: str) -> str:
        Group.objects.create(name=group)
        if group == "fails":
            raise ValueError(group)
        return group

    return of_base


@pytest.mark.parametrize("base", [Base, Both, BothAgain])
def test_durable(base: type) -> None:
    """A class above the library's is durable, whatever else it is made of."""
    task = make(base)
    with transaction.atomic():
        task.delay_on_commit("a")
    assert drain_all().settled == 1
    assert effects.names() == ["a"]


def test_hooks() -> None:
    """The hooks and the ``__call__`` of the class run around each call."""
    make(Base).delay_on_commit("a")
    drain_all()
    assert said == ["before_start", "begin", "end", "on_success"]


def test_options_of_the_class() -> None:
    """An option that the class names holds for its tasks, as the hook for a failure does."""
    make(Base).delay_on_commit("fails")
    assert drain_all().dead == 1
    assert said == ["before_start", "begin", "on_failure"]
    assert effects.names() == []


def test_class_of_the_app() -> None:
    """``app.Task`` of an app with the library's class is durable, and so is what is above it."""
    app: Any = current_app

    class Above(Mixin, app.Task):  # type: ignore[name-defined,misc]
        abstract = True

    make(Above).delay_on_commit("a")
    assert drain_all().settled == 1
    assert said[0] == "before_start"


def test_class_of_celery() -> None:
    """A task of a class that isn't the library's is called by ``call_on_commit``."""
    task = make(Celerys)
    with transaction.atomic():
        call_on_commit(task, ["a"])
    assert drain_all().settled == 1
    assert effects.names() == ["a"]


@pytest.mark.parametrize("base", [OutboxTask, Both, Base])
def test_task_that_is_a_class(base: type) -> None:
    """A task that is written as a class with ``run`` is durable."""

    class Work(base):  # type: ignore[misc,valid-type]
        name = "tests.work"

        def run(self, group: str) -> None:
            Group.objects.create(name=group)

    work: Any = current_app.register_task(Work())
    with transaction.atomic():
        work.delay_on_commit("a")
    assert drain_all().settled == 1
    assert effects.names() == ["a"]


def test_fail_task_that_is_a_class() -> None:
    """Its arguments are checked like those of a function."""

    class Work(OutboxTask):
        name = "tests.work"

        def run(self, group: str) -> None: ...

    work: Any = current_app.register_task(Work())
    with pytest.raises(TypeError, match=r"tests\.work: .*missing"):
        work.delay_on_commit()


@pytest.mark.parametrize("options", [{}, {"autoretry_for": (ValueError,)}])
@pytest.mark.parametrize(
    ("run", "is_checked"),
    [
        (make_group, True),
        (staticmethod(make_group_alone), True),
        (classmethod(make_group), True),
        (lambda self, group: make_group(self, group), False),
        (partialmethod(make_group), False),
    ],
)
def test_any_kind_of_run(run: Any, is_checked: bool, options: dict[str, Any]) -> None:
    """Whatever ``run`` is, calling it never fails in a way of its own."""
    kind = type("Work", (OutboxTask,), {"name": "tests.work", "run": run, **options})
    work: Any = current_app.register_task(kind())
    work.delay_on_commit("a")
    assert (drain_all().settled, effects.names()) == (1, ["a"])
    if is_checked:
        with pytest.raises(TypeError, match=r"tests\.work: "):
            work.delay_on_commit("a", "b")


@pytest.mark.parametrize("base", [celery.Task, DjangoTask])
def test_class_of_any_package(base: type) -> None:
    """A task that is a class of another package is called by ``call_on_commit``."""

    class Work(base):  # type: ignore[misc,valid-type]
        name = "tests.work"

        def run(self, group: str) -> None:
            Group.objects.create(name=group)

    work: Any = current_app.register_task(Work())
    call_on_commit(work, ["a"])
    assert drain_all().settled == 1
    with pytest.raises(TypeError, match=r"tests\.work: "):
        call_on_commit(work, ["a", "b"])


def test_autoretry() -> None:
    """The errors that a task names are retried, also with a class of the project's."""
    task = make(Both, autoretry_for=(ValueError,), max_retries=1, retry_backoff=False)
    task.delay_on_commit("fails")
    assert (drain_all().retried, effects.names()) == (1, [])


def test_override_that_calls_ours() -> None:
    """A ``delay_on_commit`` of the class that calls the library's is durable."""

    class Above(OutboxTask):
        abstract = True

        def delay_on_commit(self, *args: Any, **kwargs: Any) -> Any:
            said.append("called")
            return super().delay_on_commit(*args, **kwargs)

    make(Above).delay_on_commit("a")
    assert (drain_all().settled, said) == (1, ["called"])
