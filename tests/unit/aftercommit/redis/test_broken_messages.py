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

    content_type = "application/json"

    def __init__(self, body: Any = None, **headers: Any) -> None:
        self.body, self.headers = body, headers

    def decode(self) -> Any:
        """Return the body, or raise it."""
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    def reject(self) -> None:
        """Note it."""
        self.acknowledged = True


PLACE: Any = {"exchange": "", "routing_key": "celery"}
ODD_TAGS: list[Any] = [[], {}, 7, None]
ODD_PLACES: list[Any] = [None, 7, "text", [], {}, {**PLACE, "exchange": {}}]
ODD_LIMITS: list[Any] = [
    *(["a", 1], [None, {}], "ab", 7, [1], [1, 2, 3]),
    *([None, float("inf")], [None, float("nan")], [None, 10**400]),
]
ODD_HEADERS: list[tuple[str, Any]] = [
    *(("timelimit", limits) for limits in ODD_LIMITS),
    *(("shadow", ["a"]), ("shadow", {"a": 1}), ("task", []), ("id", {})),
    *(("root_id", []), ("parent_id", []), ("group", {})),
    *(("stamped_headers", 7), ("stamped_headers", True), ("stamped_headers", "text")),
    *(("stamped_headers", {"a": 1}), ("stamped_headers", [["a"]]), ("stamped_headers", [{}])),
    *(("stamps", 7), ("stamps", "text"), ("stamps", ["a"])),
]
GOOD_HEADERS: list[dict[str, Any]] = [
    *({}, {"timelimit": None}, {"timelimit": [None, None]}, {"timelimit": [1, 2.5]}),
    *({"timelimit": ()}, {"timelimit": [-1, 0]}),
    {"shadow": None, "task": "a", "id": 7, "group": None, "stamped_headers": None},
    {"shadow": "a", "stamped_headers": ["a"], "stamps": {"a": ["b"]}, "own": [{}]},
]


@pytest.mark.parametrize(
    "payload",
    [
        *(None, 7, "text", [], {}, {"properties": None}),
        *({"properties": {"delivery_tag": tag, "delivery_info": PLACE}} for tag in ODD_TAGS),
        *({"properties": {"delivery_tag": "a", "delivery_info": at}} for at in ODD_PLACES),
    ],
)
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


@pytest.mark.parametrize(("header", "value"), ODD_HEADERS)
def test_odd_headers(header: str, value: Any) -> None:
    """Celery would meet them once the pool has a place for the task, and lose the place."""
    message: Any = Taken(**{header: value})
    broken_messages._take(lambda message: pytest.fail("it was taken"), message)
    assert message.acknowledged


def test_odd_body() -> None:
    """Celery's first protocol has all of it in the body."""
    message: Any = Taken({"task": "a", "shadow": ["a"]})
    broken_messages._take(lambda message: pytest.fail("it was taken"), message)
    assert message.acknowledged


@pytest.mark.parametrize("body", [None, 7, [1, 2], {"task": "a"}, OperationalError("no JSON")])
def test_other_bodies(body: Any) -> None:
    """Celery has its own ways with them."""
    message: Any = Taken(body)
    assert broken_messages._take(lambda message: "taken", message) == "taken"


def test_nothing_else_than_json_is_decoded() -> None:
    """It is not known yet what the worker accepts."""
    message: Any = Taken({"task": "a", "shadow": ["a"]})
    message.content_type = "application/x-python-serialize"
    message.decode = lambda: pytest.fail("it was decoded")
    assert broken_messages._take(lambda message: "taken", message) == "taken"


@pytest.mark.parametrize("headers", GOOD_HEADERS)
def test_taken(headers: dict[str, Any]) -> None:
    """Any other message is given on, with whatever headers a project has of its own."""
    message: Any = Taken(**headers)
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
