"""A call that takes all the memory that its container may have."""

from collections import Counter

from core.stack.waiting import wait_until
from tests.containers.compose import Compose
from tests.containers.errors import Broken
from tests.containers.outages import starts
from tests.containers.trial_calls import TrialCalls

LEAST = 3
"""How many processes die of a call at least. A drain can take it again before a sweep has counted,
since a sweep waits for no lock.
"""


def check_hungry_call(compose: Compose) -> str:
    """Make such a call. Raises unless it is a dead letter in the end, and no container is new."""
    began = starts(compose)
    calls = TrialCalls(compose, "crumbs")
    calls.make("eat")
    dead = Counter(dead=1)
    wait_until(
        lambda: calls.left("eat") == dead, 120, "a hungry call to be a dead letter", every=0.5
    )
    if (runs := len(calls.notes())) < LEAST or began != starts(compose):
        raise Broken(f"A hungry call ran {runs} times. New since: {starts(compose) - began}.")
    calls.discard("eat")
    return f"a dead letter after {runs} runs"
