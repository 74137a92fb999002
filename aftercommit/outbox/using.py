"""A task whose durable calls are stored in a database that is named: ``task.using(alias)``."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, ParamSpec

from asgiref.sync import sync_to_async

from aftercommit.outbox.calling import call_on_commit, check_alias
from aftercommit.outbox.pending import PendingCall

P = ParamSpec("P")


class TaskUsing(Generic[P]):
    """A task and the database for its calls.

    ``delay_on_commit`` has no argument for the database itself, because all its arguments are the
    function's.
    """

    __slots__ = ("_alias", "_task")

    def __init__(self, task: Any, alias: str) -> None:
        check_alias(task.name, alias)
        self._task = task
        self._alias = alias

    def __repr__(self) -> str:
        return f"<{self._task.name} using {self._alias!r}>"

    def delay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> PendingCall:
        """Have the task called with these arguments if the database's transaction commits."""
        return call_on_commit(self._task, args, kwargs, self._alias)

    async def adelay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> PendingCall:
        """Do what ``delay_on_commit`` does, from a coroutine, which has no transaction open."""
        return await sync_to_async(call_on_commit)(self._task, args, kwargs, self._alias)

    def apply_async_on_commit(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> PendingCall:
        """Do what ``delay_on_commit`` does, with options; see ``call_on_commit``."""
        return call_on_commit(self._task, args, kwargs, self._alias, **options)
