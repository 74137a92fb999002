"""Assertions about the calls of a test."""

from abc import ABC, abstractmethod
from typing import Any

from aftercommit.contrib.testing.callbacks import count_other_callbacks
from aftercommit.contrib.testing.made_calls import Calls, MadeCall, write_call
from aftercommit.contrib.testing.tasks import as_stored, bind_arguments, check_task


class Assertions(ABC):
    """Assertions about ``calls``. A message names the calls that there were instead."""

    @property
    @abstractmethod
    def calls(self) -> Calls:
        """Return the calls that were handed over."""

    @property
    @abstractmethod
    def undone(self) -> Calls:
        """Return the calls that a rollback has undone."""

    def assert_called(self, task: Any, /, *args: Any, **kwargs: Any) -> None:
        """Raise AssertionError unless the task was called; given arguments, with exactly these.

        ``mock.ANY`` stands for any value. It makes no difference whether an argument is given by
        position or by name.
        """
        __tracebackhide__ = True
        if not self._find(task, args, kwargs):
            raise AssertionError(f"Expected a call of {_write(task, args, kwargs)}.{self._list()}")

    def assert_called_once(self, task: Any, /, *args: Any, **kwargs: Any) -> None:
        """Raise AssertionError unless the task was called once; given arguments, with these."""
        __tracebackhide__ = True
        if not self._find(task, args, kwargs) or len(self.calls.of(task)) != 1:
            wanted = _write(task, args, kwargs)
            raise AssertionError(f"Expected one call, {wanted}, and no other.{self._list()}")

    def assert_not_called(self, task: Any, /, *args: Any, **kwargs: Any) -> None:
        """Raise AssertionError if the task was called; given arguments, with exactly these."""
        __tracebackhide__ = True
        if self._find(task, args, kwargs):
            raise AssertionError(f"Expected no call of {_write(task, args, kwargs)}.{self._list()}")

    def assert_nothing_called(self) -> None:
        """Raise AssertionError if any task was called."""
        __tracebackhide__ = True
        if self.calls:
            raise AssertionError(f"Expected no calls.{self._list()}")

    def _find(self, task: Any, args: Any, kwargs: Any) -> list[MadeCall]:
        """Return the task's calls with these arguments, or all of its calls without arguments."""
        task, calls = check_task(task), self.calls.of(task)
        if not args and not kwargs:
            return list(calls)
        named = {name: as_stored(value) for name, value in kwargs.items()}
        wanted = bind_arguments(task, [as_stored(value) for value in args], named)
        return [call for call in calls if wanted == bind_arguments(task, call.args, call.kwargs)]

    def _list(self) -> str:
        """Return the calls that there are, and what can be the reason why one isn't there."""
        parts = [_write_list("This test has handed over:", self.calls)]
        if self.undone:
            title = "Undone, since their transaction or savepoint rolled back:"
            parts.append(_write_list(title, self.undone))
        if count := count_other_callbacks():
            parts.append(
                f"\nOther on_commit callbacks that wait, and that may make calls: {count}. A "
                "TestCase never commits. Run them with captureOnCommitCallbacks(execute=True)."
            )
        return "".join(parts)


def _write_list(title: str, calls: Calls) -> str:
    lines = [f"  {call}" for call in calls] or ["  nothing"]
    return "\n".join(["", title, *lines])


def _write(task: Any, args: Any, kwargs: Any) -> str:
    """Return what was asked for: the task, with its arguments if any were given."""
    name: str = check_task(task).name
    return write_call(name, args, kwargs) if args or kwargs else name
