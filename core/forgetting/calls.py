"""The outbox's calls without a person's data. No call is lost: each runs, without the person.

A call that a person made names them as its actor, and its arguments can hold what they wrote. What
a task's arguments hold is known to its app, which registers a function for it.
"""

import json
from collections.abc import Callable
from typing import Any

from aftercommit.models import OutboxCall
from core.forgetting.person import DELETED, Person, is_actor
from core.forgetting.places import Cleaner, ReadRows, Stage, register_place

REMOVED = "The error was removed, because it can tell of a deleted user."

Arguments = dict[str, Any]
Redactor = Callable[[Arguments], Arguments]
"""Returns the named arguments without what is personal."""

_redactors: dict[str, Callable[[Person], Redactor]] = {}


def register_arguments(task: str, redactor: Callable[[Person], Redactor]) -> None:
    """Have the named arguments of the task's calls redacted by this function."""
    _redactors[task] = redactor


def cleaner(person: Person) -> Cleaner:
    """Return the function that takes the person out of a call."""
    redactors = {task: redactor(person) for task, redactor in _redactors.items()}

    def clean(call: OutboxCall) -> bool:
        before = (call.payload, call.context, call.error)
        call.context, was_theirs = _clean_context(person, call.context)
        call.payload = _clean_payload(person, call.payload, redactors.get(call.task), was_theirs)
        if call.error and (before[:2] != (call.payload, call.context) or person.is_in(call.error)):
            call.error = REMOVED
        return before != (call.payload, call.context, call.error)

    return clean


def _clean_context(person: Person, text: str) -> tuple[str, bool]:
    """Return the context without the person, and whether they are the actor."""
    context = _read(text)
    if not isinstance(context, list) or len(context) < 4:
        return text, False
    actor_id, actor, request_id, _, *rest = context
    if not is_actor(person, actor_id, actor):
        return _written(text, context, person.redact(context)), False
    return json.dumps(["", DELETED, request_id, "", *person.redact(rest)]), True


def _clean_payload(person: Person, text: str, redact: Redactor | None, was_theirs: bool) -> str:
    payload = _read(text)
    if not isinstance(payload, list) or len(payload) < 2 or not isinstance(payload[1], dict):
        return str(person.redact(text))
    args, kwargs, *options = payload
    if redact is not None:
        kwargs = redact(kwargs)
    return _written(text, payload, person.redact([args, kwargs, *options], name=was_theirs))


def _written(text: str, before: Any, after: Any) -> str:
    """Return the text as it was if its content is: its writer's form of JSON is kept then."""
    return text if before == after else json.dumps(after)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


register_place(
    ReadRows(
        "calls",
        ("aftercommit.outboxcall",),
        OutboxCall,
        cleaner,
        ("payload", "context", "error"),
        Stage.CALLS,
    )
)
