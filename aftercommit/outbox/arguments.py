"""A call's arguments as they are stored: Celery's JSON, checked to be read back as they were."""

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any

from kombu.utils import json as celery_json

DEEPEST = 100
"""The depth to which arguments can be nested. Python reads JSON by recursion, and a worker's stack
is already deeper than the request's when it does."""

POSITIONAL = (list, tuple, NoneType)
NAMED = (dict, NoneType)
"""The usual types of a call's arguments. To ask about these is no Python call in the request."""

_encoder = celery_json.JSONEncoder()  # celery_json.dumps() makes one each time


def check_containers(task: str, args: Any, kwargs: Any) -> None:
    """Raise TypeError unless the arguments are a sequence and a mapping, or None.

    A text is a sequence, too. It is a list that somebody forgot.
    """
    if args is not None and (not isinstance(args, Sequence) or isinstance(args, str | bytes)):
        raise TypeError(
            f"{task}: args={args!r} is not a list or a tuple. For one write [{args!r}]."
        )
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise TypeError(f"{task}: kwargs={kwargs!r} is not a mapping of names to values.")


def encode_arguments(
    task: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
) -> str:
    """Return the arguments as stored; raise TypeError naming the one that JSON can't carry."""
    try:
        payload = _encoder.encode([args, kwargs, options] if options else [args, kwargs])
    except (TypeError, ValueError, RecursionError) as error:
        _check_arguments(task, args, kwargs, options or {})
        raise TypeError(f"{task}: its arguments can't be stored: {error}") from error
    # Most arguments are flat and name no type. Those are read back as they were without a check.
    if '"__type__"' in payload or payload.count("[") + payload.count("{") > DEEPEST:
        _check_arguments(task, args, kwargs, options or {})
    return payload


def _check_arguments(
    task: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    named = [(f"argument 'number {position}'", value) for position, value in enumerate(args, 1)]
    named += [(f"argument {name!r}", value) for name, value in kwargs.items()]
    named += [(f"option {name!r}", value) for name, value in options.items()]
    for name, value in named:
        try:
            _encoder.encode(value)
            _check_value(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(
                f"{task}: {name} is or holds what JSON can't carry: {error}. "
                "Pass plain data, or an object's primary key."
            ) from error


def _check_value(value: Any, depth: int = 0) -> None:
    """Raise ValueError for plain data that would not be read back as it was."""
    if depth > DEEPEST:
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    if isinstance(value, dict):
        if "__type__" in value:
            raise ValueError("the key '__type__', by which Celery's JSON names a type")
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _check_value(each, depth + 1)
