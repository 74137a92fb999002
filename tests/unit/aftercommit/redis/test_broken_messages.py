"""Messages that are none, and messages that nobody can take.

``integration/outbox/test_forged_messages.py`` sends them to a worker.
"""

from typing import Any

import pytest
from kombu.exceptions import OperationalError

from aftercommit.redis import broken_messages
from aftercommit.redis.broken_messages import Message
from aftercommit.redis.transport import Channel, SentinelChannel


class Taken:
    """A message that notes whether it was rejected."""

    acknowledged = False

    def __init__(self, **headers: Any) -> None:
        self.headers = headers

    def reject(self) -> None:
        """Note it."""
        self.acknowledged = True


@pytest.mark.parametrize("payload", [None, 7, "text", [], {}, {"properties": None}])
def test_no_message(payload: Any) -> None:
    """One error stands for all forms that a message can't have."""
    with pytest.raises(ValueError, match="it has an odd form"):
        Message(payload)


@pytest.mark.parametrize("channel", [Channel, SentinelChannel])
def test_in_use(channel: Any) -> None:
    """The channels of all transports make messages so."""
    assert channel.Message is Message


@pytest.mark.parametrize("error", [ValueError("\x1b[31m" + "a" * 5000), RecursionError()])
def test_dropped(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """What can't be read is dropped, and said in a line that a terminal can show."""

    def read() -> None:
        raise error

    assert broken_messages._read(read)
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert "\x1b" not in record.getMessage()
    assert len(record.getMessage()) < 300


@pytest.mark.parametrize(
    "error", [ValueError(), TypeError(), KeyError(), AttributeError(), OverflowError()]
)
def test_rejected(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """A message that Celery stumbles over doesn't come again."""

    def take(message: Any) -> None:
        raise error

    message: Any = Taken()
    broken_messages._take(take, message)
    assert message.acknowledged
    assert [each.levelname for each in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("limits", [["a", 1], [None, {}], "ab", 7])
def test_odd_limits(limits: Any) -> None:
    """The pool would meet them later, and end the worker."""
    message: Any = Taken(timelimit=limits)
    broken_messages._take(lambda message: pytest.fail("it was taken"), message)
    assert message.acknowledged


@pytest.mark.parametrize("limits", [None, [None, None], [1, 2.5], ()])
def test_taken(limits: Any) -> None:
    """Any other message is given on."""
    message: Any = Taken(timelimit=limits)
    assert broken_messages._take(lambda message: "taken", message) == "taken"
    assert not message.acknowledged


@pytest.mark.parametrize(
    "error", [OperationalError(), OSError(), SystemExit(), KeyboardInterrupt()]
)
def test_other_errors(error: BaseException) -> None:
    """An outage of the broker and the worker's end are nobody's message."""

    def take(message: Any) -> None:
        raise error

    message: Any = Taken()
    with pytest.raises(type(error)):
        broken_messages._take(take, message)
    assert not message.acknowledged
