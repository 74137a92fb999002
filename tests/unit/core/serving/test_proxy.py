"""``haproxy.cfg``: what follows from the web server's own limits, and what is never sent twice."""

import re
from collections.abc import Iterator

from core.serving import limits
from tests.unit.core.stack.test_compose import COMPOSE, SERVICES, drains_for
from tests.unit.core.stack.test_main import ROOT

CONFIG = (ROOT / "core/serving/haproxy.cfg").read_text()


def lines() -> list[str]:
    """Return the lines that are no comments, without their indents."""
    found = [line.strip() for line in CONFIG.splitlines()]
    return [line for line in found if line and not line.startswith("#")]


def seconds(name: str) -> float:
    """Return the time of the line that begins so."""
    (text,) = [line.removeprefix(f"{name} ") for line in lines() if line.startswith(f"{name} ")]
    return in_seconds(text)


def in_seconds(text: str) -> float:
    """Return the seconds of a time as HAProxy writes it."""
    number, unit = re.fullmatch(r"(\d+)(m?s)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"ms": 0.001, "s": 1}[unit]


def checks() -> Iterator[tuple[str, str]]:
    """Yield the options of the web servers' health checks."""
    (line,) = [each for each in lines() if each.startswith("server-template ")]
    yield from re.findall(r"(\w+) (\w+)", line.partition(" check ")[2])


def test_times() -> None:
    """A client has as long as at a web server. A web server has as long as a page may take."""
    assert seconds("timeout http-request") == limits.HEAD_SECONDS
    assert seconds("timeout http-keep-alive") == limits.HEAD_SECONDS
    assert seconds("timeout client") == limits.SILENCE
    longest = limits.WAITS_AT_MOST + limits.STOPS_WITHIN
    assert longest < seconds("timeout server") <= longest + 5
    assert seconds("hard-stop-after") == seconds("timeout server")
    grace = in_seconds(SERVICES["proxy"]["stop_grace_period"])
    assert grace == seconds("hard-stop-after") + 5


def test_a_server_that_stops_is_seen_in_time() -> None:
    """Two checks say so before it takes nothing more, even if each takes its whole time."""
    found = dict(checks())
    assert found["fall"] == "2"
    slowest = in_seconds(found["inter"]) + in_seconds(found["fastinter"])
    assert slowest + seconds("timeout check") < drains_for()


def test_a_request_is_sent_once() -> None:
    """Only one that could not connect goes to another web server."""
    assert "retry-on conn-failure" in lines()
    assert not [line for line in lines() if line.startswith("retry-on") and "conn-" not in line]
    assert {"option http-server-close", "http-reuse never", "option redispatch 1"} <= {*lines()}
    assert "shutdown-sessions" not in CONFIG


def test_who_tells_the_client() -> None:
    """The web servers believe the proxy's network alone, and the proxies that somebody names."""
    (config,) = COMPOSE["networks"]["proxy"]["ipam"]["config"]
    trusted = SERVICES["web"]["environment"]["TRUSTED_PROXIES"]
    assert trusted == config["subnet"] + "${TRUSTED_PROXIES:+,${TRUSTED_PROXIES:-}}"
    assert "option forwardfor" in lines()
    on_it = {name for name, each in SERVICES.items() if "proxy" in each["networks"]}
    assert on_it == {"proxy", "web"}


def test_no_secret() -> None:
    """It can be read by everybody who reads the repository."""
    assert "password" not in CONFIG
    assert "auth" not in CONFIG
