"""All that a person needs to find out why a step failed: states, health checks, logs."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.containers.compose import LABEL, NAME, Compose

LINES = "60"
"""So many lines of each container's log are shown."""


def tell(compose: Compose) -> Iterator[str]:
    """Yield lines about each container, and then the ends of their logs."""
    ids = compose.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={NAME}").split()
    for found in json.loads(compose.docker("inspect", *ids)) if ids else []:
        yield from lines(found)
    yield compose("logs", "--no-color", "--timestamps", "--tail", LINES)


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the state of a container, and what its last health checks said if they failed."""
    state, health = found["State"], found["State"].get("Health", {})
    yield (
        f"{found['Name'].lstrip('/')}: {state['Status']}, exit code {state['ExitCode']}, "
        f"{found['RestartCount']} restarts, {health.get('Status', 'no health check')}"
        f"{', killed for want of memory' if state.get('OOMKilled') else ''}"
        f"{', ' + state['Error'] if state.get('Error') else ''}"
    )
    for check in (health.get("Log") or [])[-3:]:
        if check["ExitCode"]:
            said = " ".join(check["Output"].split())[-300:]
            yield f"  check at {check['Start'][11:19]} ended with {check['ExitCode']}: {said}"
