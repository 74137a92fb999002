"""Commands of remote control with odd contents, and all others.

``integration/outbox/test_forged_messages.py`` sends them to a worker.
"""

from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import OperationalError

from aftercommit.worker.odd_commands import SurvivingNode, worker_init_survive_commands


def make_node(ping: Any = lambda state: "pong") -> Any:
    """Return the node of a worker that knows one command."""
    app: Any = Celery(set_as_current=False)
    worker_init_survive_commands(sender=type("Worker", (), {"app": app}))
    return app.control.mailbox.Node("worker@here", state={}, handlers={"ping": ping})


def ask(node: Any, **command: Any) -> Any:
    """Return what the node does with a command."""
    return node.handle_message({"method": "ping", "arguments": {}, **command})


def test_a_command() -> None:
    """Any worker handles its commands so."""
    node = make_node()
    assert isinstance(node, SurvivingNode)
    assert ask(node) == "pong"


@pytest.mark.parametrize("body", [None, 7, "text", b"#", [1, 2]])
def test_no_command(body: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is dropped, and said in a line."""
    make_node().handle_message(body)
    [record] = caplog.records
    assert record.getMessage().startswith("Dropped a command with odd contents: ")


@pytest.mark.parametrize(
    "odd",
    [
        {"destination": 7},
        {"pattern": "(", "matcher": "pcre"},
        {"pattern": 3, "matcher": 9},
        {"reply_to": 7},
        {"reply_to": {"a": 1}},
        {"method": []},
    ],
)
def test_odd_contents(odd: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """It is dropped, too."""
    ask(make_node(), **odd)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_other_errors() -> None:
    """An outage of the broker is nobody's message."""

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError

    node = make_node()
    node.reply = away
    with pytest.raises(OperationalError):
        ask(node, reply_to={"exchange": "a", "routing_key": "b"})
