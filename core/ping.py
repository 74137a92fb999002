"""Ask a Celery process of this container whether it lives: ``python -m core.ping worker``.

It is the health check of the worker and of beat. ``celery inspect ping`` sets Django up
first, which takes three times as long and twice the memory. It also waits for a silent broker
without end: each check would leave a process behind, until they have taken the container's memory.
"""

import signal
import socket
import sys
from importlib import import_module

ANSWERS_WITHIN = 5
"""Seconds in which the process answers."""

ENDS_WITHIN = 25
"""Seconds after which the kernel ends this process, whatever it waits for. The status is 142."""


def main(name: str) -> str | None:
    """Return None if the process of this name answers, and else why it is not known to live."""
    signal.alarm(ENDS_WITHIN)
    node = f"{name}@{socket.gethostname()}"
    app = import_module("core.flower.app").app  # it knows the broker, and needs no more
    try:
        answers = app.control.ping(destination=[node], timeout=ANSWERS_WITHIN)
    except Exception as error:  # noqa: BLE001  # whatever it is, nobody has answered
        return f"{node} can't be asked: {error}"
    return None if answers else f"{node} does not answer within {ANSWERS_WITHIN} s."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
