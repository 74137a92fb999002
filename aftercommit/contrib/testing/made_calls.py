"""The calls that a test has made, as it wants to look at them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from kombu.utils import json as celery_json

from aftercommit.context import Context
from aftercommit.contrib.testing.tasks import check_task
from aftercommit.outbox.record import CallRecord


@dataclass(frozen=True)
class MadeCall:
    """A call that the test, or the code that it tests, has handed over."""

    id: str
    """The call's id as Celery knows ids: ``task.request.id``."""

    task: str
    """The task's name."""

    args: Sequence[Any]
    """The positional arguments as the function gets them: a tuple is a list by then."""

    kwargs: Mapping[str, Any]

    countdown: float | None
    """The seconds after the commit when the call is due, if the call was given such a time."""

    eta: datetime | None
    """The time when the call is due, if the call was given one."""

    options: Mapping[str, Any]
    """The call's other options: ``expires``, ``headers``, ``ignore_result``, ``link``."""

    database: str
    """The alias of the database that has the call."""

    context: Context
    """The actor, the request's id and the client's address that the call was made with."""

    carried: Mapping[str, Any]
    """The values that carriers (OUTBOX_CONTEXT) took along, by their names."""

    @classmethod
    def of(cls, call: CallRecord) -> Self:
        """Return the call, with its arguments read from what is stored."""
        args, kwargs, *options = celery_json.loads(call.payload)
        context = json.loads(call.raw_context)
        return cls(
            id=call.id,
            task=call.task,
            args=args,
            kwargs=kwargs,
            countdown=call.countdown,
            eta=call.eta,
            options=options[0] if options else {},
            database=call.using,
            context=Context(*context[:4]),
            carried=context[4] if len(context) > 4 else {},
        )

    def __str__(self) -> str:
        """Return the call as Python would write it, with what isn't usual about it."""
        options = {"countdown": self.countdown, "eta": self.eta, **self.options}
        given = [f"{name}={value!r}" for name, value in options.items() if value is not None]
        if self.database != "default":
            given.append(f"using={self.database!r}")
        return " ".join([write_call(self.task, self.args, self.kwargs), *given])


class Calls(tuple[MadeCall, ...]):
    """Calls in the order in which they were made."""

    __slots__ = ()

    def of(self, task: Any) -> "Calls":
        """Return the calls of this task. Raises TypeError for what is no task."""
        name = check_task(task).name
        return Calls(call for call in self if call.task == name)


def write_call(task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """Return a call as Python would write it: ``shop.tasks.send_receipt(7, copy=True)``."""
    named = [f"{name}={value!r}" for name, value in kwargs.items()]
    return f"{task}({', '.join([*map(repr, args), *named])})"
