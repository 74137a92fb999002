"""Find what sends messages: the functions that on_commit, a signal or a transaction runs."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from django.apps import AppConfig
from django.contrib.admin.options import BaseModelAdmin
from django.db.models import Model

from aftercommit.adopt.facts import Class, Decorator, Function, Use
from aftercommit.adopt.finding import Kind
from aftercommit.adopt.names import LAMBDA
from aftercommit.adopt.project import Project
from aftercommit.adopt.tasks import Tasks
from aftercommit.adopt.views import atomic_views

RECEIVERS = (
    "django.dispatch.receiver",
    "django.dispatch.dispatcher.receiver",
    "django_lifecycle.hook",
)
"""The decorators of functions that are called when something is saved."""

ATOMIC = ("django.db.transaction.atomic", "django.db.atomic")

ADMIN_METHODS = ("save_model", "save_related", "save_formset", "delete_model")

METHODS = (
    (Model, ("save", "delete", "asave", "adelete", "save_base"), Kind.RECEIVER),
    (AppConfig, ("ready",), Kind.RECEIVER),
    # Django's admin saves in a transaction of its own.
    (BaseModelAdmin, ADMIN_METHODS, Kind.TRANSACTION),
)
"""The methods that Django calls when something is saved, or when a process starts."""


class Origins:
    """For each place, why a message that it sends is not durable."""

    def __init__(self, project: Project, tasks: Tasks) -> None:
        self.project, self.tasks = project, tasks

    def of(self, use: Use) -> tuple[Kind, Function | None] | None:
        """Return why the place is not durable, and the function that leads to it if it is another.

        Returns None if nothing says that it runs in a transaction.
        """
        around = list(use.function.around) if use.function else []
        if self._is_on_commit(use) or any(each in self._on_commit for each in around):
            return Kind.ON_COMMIT, None
        if self._is_receiver(use) or any(each in self.receivers for each in around):
            return Kind.RECEIVER, None
        if self._is_atomic(use.withs) or any(each in self.transactions for each in around):
            return Kind.TRANSACTION, None
        return self._reached(around) if around else None

    def _reached(self, around: list[Function]) -> tuple[Kind, Function | None] | None:
        for kind, callers in self._callers.items():
            for each in around:
                if each in callers:
                    start = _start(each, callers)
                    return kind, None if start in around else start
        return None

    @cached_property
    def _callers(self) -> dict[Kind, dict[Function, Function | None]]:
        """For each kind, the functions that its starts call, with their callers."""
        starts: dict[Kind, Iterable[Function]] = {
            Kind.ON_COMMIT: self._on_commit,
            Kind.RECEIVER: self.receivers,
            Kind.TRANSACTION: self.transactions,
            Kind.TASK_MESSAGE: self.tasks.atomic(),
        }
        return {kind: self.project.reach(functions) for kind, functions in starts.items()}

    @cached_property
    def _on_commit(self) -> dict[Function, None]:
        """The functions that are handed to on_commit, or called in what is handed to it."""
        given = (use for use in self.project.uses if self._is_on_commit(use))
        own = filter(self._runs_on_commit, self.project.functions)
        return dict.fromkeys([*filter(None, map(self.project.called, given)), *own])

    @cached_property
    def receivers(self) -> dict[Function, None]:
        """The functions that a signal, a model or an app calls."""
        connected = (use for use in self.project.uses if self._is_receiver(use) and not use.is_call)
        found = [each for each in map(self.project.called, connected) if each]
        found += (each for each in self.project.functions if self._is_decorated_receiver(each))
        return dict.fromkeys([*found, *self._methods(Kind.RECEIVER)])

    @cached_property
    def transactions(self) -> dict[Function, None]:
        """The functions that run in a transaction, or that a block in a transaction calls."""
        inside = (use for use in self.project.uses if self._is_atomic(use.withs))
        found = [each for each in map(self.project.called, inside) if each]
        own = (each for each in self.project.functions if self._is_decorated_atomic(each))
        views = atomic_views(self.project)
        return dict.fromkeys([*own, *found, *self._methods(Kind.TRANSACTION), *views])

    def _methods(self, kind: Kind) -> Iterator[Function]:
        for function in self.project.functions:
            last = function.name.rpartition(".")[2]
            bases = [base for base, names, each in METHODS if each is kind and last in names]
            if function.owner and bases and self.project.is_a(function.owner, *bases):
                yield function

    def _is_on_commit(self, use: Use) -> bool:
        """Return whether the place is in what is handed to on_commit."""
        if any(_last(name) == "on_commit" for name in use.given_to):
            return True
        is_later = not use.is_call or LAMBDA in use.given_to
        return is_later and any(map(self._hands_on, use.given_to))

    def _hands_on(self, name: str) -> bool:
        """Return whether the name is a function of the project that calls on_commit itself."""
        candidates = self._wrappers.get(_last(name), ())
        return bool(candidates) and self.project.find(name) in candidates

    @cached_property
    def _wrappers(self) -> dict[str, set[Any]]:
        """The project's functions that call on_commit, by their last names."""
        found: dict[str, set[Any]] = {}
        for use in self.project.uses:
            if _last(use.name) == "on_commit" and use.is_call and use.function:
                for each in use.function.around:
                    found.setdefault(_last(each.name), set()).add(each)
        return found

    def _runs_on_commit(self, function: Function) -> bool:
        names = [each.name.removesuffix("()") for each in function.decorators]
        return any(_last(name) == "on_commit" or self._hands_on(name) for name in names)

    @staticmethod
    def _is_receiver(use: Use) -> bool:
        """Return whether the place is in what a signal of Django's is connected with."""
        return any(_is_connect(name) for name in use.given_to)

    @staticmethod
    def _is_decorated_receiver(function: Function) -> bool:
        names = [each.name.removesuffix("()") for each in function.decorators]
        return any(name in RECEIVERS or _is_connect(name) for name in names)

    def _is_atomic(self, names: Iterable[str]) -> bool:
        return any(name.removesuffix("()") in ATOMIC for name in names) or any(
            self._opens_transaction(name) for name in names
        )

    def _opens_transaction(self, name: str) -> bool:
        """Return whether a context manager of the project opens a transaction itself."""
        found = self.project.find(name.removesuffix("()"))
        uses = found.uses if isinstance(found, Function) else []
        return any(use.name in ATOMIC for use in uses)

    def _is_decorated_atomic(self, function: Function) -> bool:
        owner = self.project.find(function.owner) if function.owner else None
        around = owner.decorators if isinstance(owner, Class) else ()
        return any(map(_makes_atomic, [*function.decorators, *around]))


def _start(function: Function, callers: dict[Function, Function | None]) -> Function:
    while caller := callers[function]:
        function = caller
    return function


def _makes_atomic(decorator: Decorator) -> bool:
    """Return whether it is ``@atomic``, or ``@method_decorator(atomic, …)``."""
    if decorator.name.removesuffix("()") in ATOMIC:
        return True
    given = [name.removesuffix("()") for name in decorator.arguments]
    return _last(decorator.name) == "method_decorator" and any(name in ATOMIC for name in given)


def _last(name: str) -> str:
    return name.removesuffix("()").rpartition(".")[2]


def _is_connect(name: str) -> bool:
    """Return whether the name is a signal's ``connect``, one of Celery's own left out."""
    return _last(name) == "connect" and not name.startswith("celery.")
