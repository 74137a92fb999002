"""The lines that a failed step shows of each container."""

from typing import Any

from tests.containers.diagnosis import lines

FOUND: dict[str, Any] = {
    "Name": "/aftercommit-test-beat-1",
    "RestartCount": 2,
    "State": {"Status": "running", "ExitCode": 0, "OOMKilled": True, "Error": ""},
}
GOOD, BAD = {"Start": "2026-01-02T03:04:05.6Z"}, {"Start": "2026-01-02T03:05:05.6Z"}
HEALTH = {
    "Status": "unhealthy",
    "Log": [
        {**GOOD, "ExitCode": 0, "Output": "fine"},
        {**BAD, "ExitCode": 1, "Output": "no\n one"},
    ],
}


def test_without_health_check() -> None:
    """Its state, and why it was killed."""
    assert [*lines(FOUND)] == [
        "aftercommit-test-beat-1: running, exit code 0, 2 restarts, no health check, "
        "killed for want of memory"
    ]


def test_health() -> None:
    """The checks that failed are there with what they said."""
    state = {**FOUND["State"], "OOMKilled": False, "Health": HEALTH}
    assert [*lines({**FOUND, "State": state})] == [
        "aftercommit-test-beat-1: running, exit code 0, 2 restarts, unhealthy",
        "  check at 03:05:05 ended with 1: no one",
    ]
