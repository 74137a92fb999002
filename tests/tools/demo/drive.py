"""Has users do one thing after the other, and waits for what follows from each."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.stack.stack import Stack
from core.stack.supervisor import Interrupted
from core.stack.waiting import wait_until
from tests.tools.demo.judge import Sighting, judge, missing, within
from tests.tools.demo.ledger import Action, Ledger, Request
from tests.tools.demo.observe import Observer
from tests.tools.demo.progress import Screen
from tests.tools.demo.table import Outcome, note

PATIENCE, LESS_PATIENCE = 20.0, 3.0
"""Seconds that effects may take; less for those that come after some that never came."""
QUIET = 3.0
"""Seconds in which nothing may come at the end; a sweep, every two seconds, is among them."""
EVERY = 0.005


class Drive:
    """The actions of one run; each is over when all that is due for it has come, or is too late."""

    def __init__(self, stack: Stack, observer: Observer, screen: Screen) -> None:
        self.ledger = Ledger()
        self._stack = stack
        self._observer = observer
        self._screen = screen
        self._finished: list[Action] = []
        self._patience = PATIENCE

    @contextmanager
    def action(self, title: str) -> Iterator[None]:
        """What users do in the block, under this title; afterwards its effects are waited for."""
        action = self.ledger.begin(title)
        yield
        self._await_effects(action)
        self._finished.append(action)
        outcome = self._outcome(action)
        self._screen.done(title, note(outcome), good=not outcome.problems)

    def made(self, request: Request) -> None:
        """Takes down a request that was answered."""
        self.ledger.made(request)
        action = self.ledger.actions[-1]
        self._tick(f"{action.title} … {len(action.timed)}")

    def settle(self) -> None:
        """Returns when nothing waits and nothing has come for a while, or it is too late for it."""
        begin = time.monotonic()
        self._wait(lambda: self._is_quiet(begin), "Does anything come twice?")

    def outcomes(self) -> list[Outcome]:
        """Every action that came to its end, judged by all that has been seen."""
        return [self._outcome(action) for action in self._finished]

    def _outcome(self, action: Action) -> Outcome:
        end = self.ledger.end_of(action)
        seen = within([*self._observer.sightings], action.started, end)
        return Outcome(action, judge(action, seen))

    def _await_effects(self, action: Action) -> None:
        begin = time.monotonic()
        self._wait(lambda: self._has_happened(action, begin), action.title)
        if missing(action, self._seen_since(action)):
            self._patience = LESS_PATIENCE

    def _has_happened(self, action: Action, begin: float) -> bool:
        settled = self._observer.is_settled_since(begin)
        return settled and not missing(action, self._seen_since(action))

    def _seen_since(self, action: Action) -> list[Sighting]:
        return within([*self._observer.sightings], action.started, float("inf"))

    def _is_quiet(self, begin: float) -> bool:
        last = max(begin, self._observer.last_change)
        return self._observer.is_settled_since(last + QUIET)

    def _wait(self, condition: Callable[[], bool], title: str) -> None:
        def look() -> bool:
            self._tick(f"{title} …")
            return condition()

        try:
            wait_until(look, self._patience, title, EVERY)
        except TimeoutError:
            return  # what is missing by now is what the outcome tells

    def _tick(self, text: str) -> None:
        if self._stack.interrupt and self._stack.interrupt.requested:
            raise Interrupted
        self._stack.check()
        self._screen.working(text)
