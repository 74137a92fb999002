"""The time between SIGTERM and the end, in which balancers go elsewhere."""

import asyncio
import signal
from collections.abc import Callable

import pytest
from django.test import Client
from granian.server.mp import MPServer

from core.serving import drain
from core.serving.__main__ import parser, server
from core.serving.application import Buffered
from core.serving.processes import Server
from core.stack.waiting import wait_until
from tests.unit.core.serving.asking import answering, ask_now

Make = Callable[..., Server]


@pytest.fixture(autouse=True)
def _own_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other test sees that the time has begun."""
    monkeypatch.setattr(drain, "_begun", bytearray(1))


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make a server that starts nothing, and is told by signals alone."""
    monkeypatch.setattr(MPServer, "serve", lambda self: None)
    return lambda *options: server(parser().parse_args(options))


def test_the_probe_says_so(client: Client) -> None:
    """A balancer is sent elsewhere. The process lives, and is not to be restarted."""
    assert client.get("/servez").status_code == 200
    drain.begin()
    assert client.get("/servez").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_connections_are_not_kept() -> None:
    """A balancer that keeps them would send its next request into the end of the server."""

    async def work() -> None:
        application = Buffered(answering(b"page"))
        assert "connection" not in (await ask_now(application)).headers
        drain.begin()
        answer = await ask_now(application)
        assert (answer.status, answer.headers["connection"], answer.body) == (200, "close", b"page")

    asyncio.run(work())


def test_sigterm_waits(make: Make) -> None:
    """The server goes on until its time is over."""
    told = make("--drains-for", "3600")
    told.signal_handler_interrupt(signal.SIGTERM, None)
    assert drain.has_begun()
    assert not told.interrupt_signal


def test_and_then_stops(make: Make) -> None:
    """Without another signal."""
    told = make("--drains-for", "0.01")
    told.signal_handler_interrupt(signal.SIGTERM, None)
    wait_until(lambda: told.interrupt_signal, 10)
    assert told.main_loop_interrupt.is_set()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops(make: Make, second: signal.Signals) -> None:
    """Whoever asks twice does not want to wait."""
    told = make("--drains-for", "3600")
    told.signal_handler_interrupt(signal.SIGTERM, None)
    told.signal_handler_interrupt(second, None)
    assert told.interrupt_signal


@pytest.mark.parametrize(
    ("options", "first"),
    [((), signal.SIGTERM), (("--drains-for", "3600"), signal.SIGINT)],
)
def test_stops_at_once(make: Make, options: tuple[str, ...], first: signal.Signals) -> None:
    """Ctrl-C does, and so does every server that is not told to wait."""
    told = make(*options)
    told.signal_handler_interrupt(first, None)
    assert told.interrupt_signal
    assert not drain.has_begun()


@pytest.mark.parametrize("given", ["-1", "soon", "nan", "inf", ""])
def test_no_seconds(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is no number of seconds is refused."""
    with pytest.raises(SystemExit):
        parser().parse_args([f"--drains-for={given}"])
    assert f"'{given}' is not a number of seconds from 0 on." in capsys.readouterr().err
