"""The forms of what kombu and Celery read too late in a message to reject it.

An error that kombu meets as it notes the message ends the worker. So does one that Celery meets
once its pool has a place for the task, or it keeps that place for ever.
"""

from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 1e12
"""Seconds. No timer takes a number that is much larger."""


def check_properties(properties: Mapping[str, Any]) -> None:
    """Raise ValueError for a tag that is no text, or for a place that is none."""
    tag, place = properties["delivery_tag"], properties["delivery_info"]
    if not isinstance(tag, str):
        raise ValueError(f"its delivery_tag is {tag!r}")
    if not isinstance(place, dict) or not all(
        map(_is_name, (place["exchange"], place["routing_key"]))
    ):
        raise ValueError(f"its delivery_info is {place!r}")


def check_headers(headers: Any) -> None:
    """Raise ValueError for a header that has another form than Celery gives it."""
    if isinstance(headers, dict):
        for name, has_form in FORMS.items():
            if not has_form(headers.get(name)):
                raise ValueError(f"its header {name!r} is {headers[name]!r}")


def check_message(message: Any) -> None:
    """Raise ValueError for what Celery would read in odd forms, in either of its protocols.

    In the first protocol all is in the body. Nothing but JSON is decoded here.
    """
    headers = message.headers
    check_headers(headers)
    if not (isinstance(headers, dict) and "task" in headers):
        check_headers(_body_of(message))


def _body_of(message: Any) -> Any:
    """Return the body, or None if it is no JSON. Celery meets the same error, and rejects it."""
    if message.content_type != "application/json":
        return None
    try:
        return message.decode()
    except Exception:  # noqa: BLE001  # codecs have errors of their own
        return None


def _is_name(value: Any) -> bool:
    """Return whether it can be a key of a mapping."""
    return not isinstance(value, list | dict)


def _are_limits(value: Any) -> bool:
    """Return whether it is a hard and a soft limit."""
    return not value or (
        isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_limit, value))
    )


def _is_limit(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and abs(value) < LONGEST)


def _are_names(value: Any) -> bool:
    return not value or (isinstance(value, list | tuple) and all(map(_is_name, value)))


def _is_mapping(value: Any) -> bool:
    return not value or isinstance(value, dict)


FORMS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("task", "id", "root_id", "parent_id", "group", "shadow"), _is_name),
    "timelimit": _are_limits,
    "stamped_headers": _are_names,
    "stamps": _is_mapping,
}
"""The headers that Celery reads for itself. Any other header is left to whoever reads it."""
