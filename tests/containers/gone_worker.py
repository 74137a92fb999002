"""The host of a worker vanishes amid a call, and comes back."""

import time

import httpx

from core.stack.waiting import wait_until
from tests.containers.compose import Compose
from tests.containers.errors import Broken
from tests.containers.trial_calls import TrialCalls
from tests.containers.vanishing import black_hole

TAKEN_WITHIN = 60
"""Seconds in which the call has another worker: 11 for the database to give up the one that
vanished, a few for a sweep, and the others for a machine that does much else."""


class GoneWorker:
    """One of two workers, whose host vanishes amid a call, and perhaps amid another."""

    def __init__(self, compose: Compose) -> None:
        self.compose = compose
        self.calls = TrialCalls(compose, "lamp")
        self.host = ""

    def vanish(self) -> str:
        """Have it vanish. Raises TimeoutError unless the other worker runs the call soon."""
        self.scale(2)
        self.calls.stay()
        self.calls.make("send", "hold", seconds=60)
        wait_until(lambda: len(self.calls.notes()) == 2, 90, "workers to begin both calls")
        self.host = next(each.split()[-1] for each in self.calls.notes() if "hold" in each)
        black_hole(self.compose.docker, self.host, "add")
        began = time.monotonic()
        self.calls.go()
        wait_until(lambda: self.calls.effects() == 1, TAKEN_WITHIN, "another worker's effect")
        return f"its call is done after {time.monotonic() - began:.0f} s"

    def check_named(self) -> None:
        """Raise TimeoutError unless ``/readyz`` names the worker, and no other."""
        wait_until(lambda: self.stale() == {f"worker@{self.host}"}, 60, "a note of the worker")

    def come_back(self) -> None:
        """Have it back. Raises unless it is seen again, and the call was not done twice."""
        black_hole(self.compose.docker, self.host, "delete")
        wait_until(lambda: not self.stale(), 60, "the worker to be seen again")
        wait_until(lambda: not self.calls.left("send"), 60, "the effect elsewhere to be marked")
        kinds = sorted(note.split()[0] for note in self.calls.notes())
        if self.calls.effects() != 1 or kinds != ["hold", "hold", "send", "sent"]:
            raise Broken(f"Calls whose worker was gone have had the effects {self.calls.notes()}.")
        wait_until(self.compose.are_healthy, 90, "the worker to be healthy again", every=0.5)
        self.scale(1)

    def scale(self, number: int) -> None:
        """Have so many workers."""
        words = ("--detach", "--no-build", "--no-recreate", "--no-deps", "--wait")
        self.compose("up", *words, "--scale", f"worker={number}", "worker")

    def stale(self) -> set[str]:
        """Return the workers that ``/readyz`` misses, or "?" while it knows none."""
        answer = httpx.get(f"{self.compose.url('WEB_PORT')}/readyz", timeout=10, trust_env=False)
        workers = answer.json()["databases"]["default"]["workers"]
        return {each["name"] for each in workers if each["stale"]} if workers else {"?"}
