"""What a fault is: something that goes wrong in one part of the system, and is mended later."""

import contextlib
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

from tests.tools.chaos.system import System

Heal = Callable[[], bool | None]
"""Mends it; False if it is not over yet and is to be mended later."""
Inject = Callable[[System, random.Random], Heal | None]

WEB, WRITER, WORKER, HOST = "web", "writer", "worker", "host"
BROKER, DATABASE, MAIL = "broker", "database", "mail"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong in one part of the system, for some seconds."""

    name: str
    part: str
    inject: Inject
    seconds: tuple[float, float] = (0.0, 0.0)


def kill(pid: int) -> None:
    """End a process that may have ended; 0 stands for none."""
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)
