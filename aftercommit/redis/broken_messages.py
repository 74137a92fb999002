"""Let a worker survive what somebody else puts into its queues.

kombu raises an error for what is no message of its own, and so does Celery for a message with odd
headers. Either would end the worker. Its successor would end too, since such a message comes again.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from kombu.transport import virtual

from aftercommit.printable import make_printable
from aftercommit.redis.message_forms import check_message, check_properties

logger = logging.getLogger(__name__)

ODD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""The errors of code that meets a value of a kind that it does not expect."""

TEXT_CHARACTERS = 200
"""The length at most of an error in the log. It can quote the message."""


class Message(virtual.Message):
    """kombu's message, with one error for all that is none."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            super().__init__(payload, channel=channel, **kwargs)
            check_properties(payload["properties"])
        except ODD as error:
            raise ValueError(f"it has an odd form: {error!r}") from error


class SurvivesMessages:
    """Drop what can't be a message, and reject a message that can't be taken."""

    Message = Message

    def _brpop_read(self: Any, **options: Any) -> Any:
        return _read(partial(super()._brpop_read, **options))  # type: ignore[misc]  # kombu's channel

    def _receive(self: Any) -> Any:
        return _read(super()._receive)  # type: ignore[misc]

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Have messages of the queue given to the callback."""
        taken = partial(_take, callback)
        return super().basic_consume(queue, no_ack, taken, *args, **kwargs)  # type: ignore[misc]


def _read(read: Callable[[], Any]) -> Any:
    """Read what has come, and drop it if it is no message."""
    try:
        return read()
    except (ValueError, RecursionError) as error:
        _report("Dropped what is no message", error)
        return True


def _take(callback: Callable[..., Any], message: Any) -> Any:
    """Give the message to the consumer, and reject the message if it has odd contents."""
    try:
        check_message(message)
        return callback(message)
    except ODD as error:
        _report("Rejected a message with odd contents", error)
        if not message.acknowledged:
            message.reject()


def _report(what: str, error: Exception) -> None:
    text = make_printable(repr(error)[:TEXT_CHARACTERS])
    logger.error("%s, from the broker: %s", what, text, exc_info=error)
