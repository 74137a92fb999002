"""The seeded schedule in which a run injects faults and heals them."""

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.stack.waiting import wait_until
from tests.tools.chaos.fault import (
    BROKER,
    DATABASE,
    HOST,
    MAIL,
    WEB,
    WORKER,
    WRITER,
    Fault,
    Heal,
)
from tests.tools.chaos.faults import FAULTS, STOPS_WITHIN
from tests.tools.chaos.system import System

GAPS = {
    WEB: (3, 9),
    WRITER: (2, 5),
    WORKER: (4, 12),
    BROKER: (4, 10),
    HOST: (5, 12),
    DATABASE: (8, 20),
    MAIL: (3, 8),
}
"""Seconds from the end of a part's fault to its next."""


@dataclass
class Injection:
    """A fault at its time, in seconds since the traffic began, and for how long."""

    at: float
    seconds: float
    fault: Fault
    seed: int
    begun: float = 0.0
    ended: float = 0.0
    heal: Heal | None = field(default=None, repr=False)


def plan(seed: int, seconds: float, parts: Sequence[str]) -> list[Injection]:
    """What happens when: in each part one fault after the other, in all parts at once."""
    planned: list[Injection] = []
    for part in parts:
        chance = random.Random(f"{seed} {part}")
        faults = [fault for fault in FAULTS if fault.part == part]
        bag: list[Fault] = []
        at = chance.uniform(*GAPS[part])
        while at < seconds:
            # Each once before any comes again, so that a short run has seen most.
            bag = bag or chance.sample(faults, len(faults))
            fault = bag.pop()
            planned.append(
                Injection(at, chance.uniform(*fault.seconds), fault, chance.getrandbits(32))
            )
            at += planned[-1].seconds + chance.uniform(*GAPS[part])
    return sorted(planned, key=lambda each: each.at)


class Schedule:
    """Injects each fault when its time has come, and heals it when that is over.

    To be used from the thread that started the servers: what a thread starts ends with it.
    """

    def __init__(self, system: System, planned: Sequence[Injection]) -> None:
        self._system = system
        self._waiting = list(planned)
        self._active: list[Injection] = []
        self.done: list[Injection] = []
        self.started = time.monotonic()

    def tick(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for injection in [each for each in self._active if each.begun + each.seconds <= now]:
            self._heal(injection)
        for injection in [each for each in self._waiting if self.started + each.at <= now]:
            if injection.fault.part not in self.broken_parts:
                self._waiting.remove(injection)
                self._inject(injection)

    @property
    def broken_parts(self) -> set[str]:
        """The parts in which something is wrong now, on purpose."""
        return {injection.fault.part for injection in self._active}

    def inject_last(self, fault: Fault, seed: int) -> None:
        """Inject a fault that lasts until ``heal_all``."""
        self._inject(Injection(time.monotonic() - self.started, math.inf, fault, seed))

    def heal_all(self) -> None:
        """Mend everything; nothing more is injected."""
        self._waiting.clear()
        wait_until(self._heal_active, STOPS_WITHIN * 2, "everything to be mended")

    def _heal_active(self) -> bool:
        for injection in [*self._active]:
            self._heal(injection)
        return not self._active

    def _inject(self, injection: Injection) -> None:
        injection.begun = time.monotonic()
        injection.heal = injection.fault.inject(self._system, random.Random(injection.seed))
        self.done.append(injection)
        if injection.heal:
            self._active.append(injection)
        else:
            injection.ended = time.monotonic()

    def _heal(self, injection: Injection) -> None:
        assert injection.heal is not None
        if injection.heal() is not False:
            self._active.remove(injection)
            injection.ended = time.monotonic()
