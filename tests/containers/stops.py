"""A call that lasts through a stop: the worker that is told to stop ends it first."""

from core.stack.waiting import wait_until
from core.stopping import default_time_limit
from tests.containers.compose import STOPS_WITHIN, Compose
from tests.containers.errors import Broken
from tests.containers.trial_calls import TrialCalls, ask

SHARE = 0.65
"""Of the longest call that may be: more than half, and not all."""


def check_long_calls(compose: Compose) -> str:
    """Stop the worker amid two long calls. Raises Broken unless both are done, and done once."""
    seconds = SHARE * default_time_limit(STOPS_WITHIN)
    calls = TrialCalls(compose, "night")
    calls.stay()
    calls.make("send", "hold", seconds=seconds)
    wait_until(lambda: len(calls.notes()) == 2, 90, "two calls to begin")
    compose("stop", "worker")
    check(calls)
    return f"two calls of {seconds:.0f} s"


def check(calls: TrialCalls) -> None:
    """Raise Broken unless the worker ended in good order, with both calls done."""
    code = calls.compose.states()["worker"]["ExitCode"]
    kinds = sorted(note.split()[0] for note in calls.notes())
    crashes = ask(calls.compose, "SELECT sum(crashes) FROM aftercommit_outboxcall")
    journals = ask(calls.compose, "SELECT count(*) FROM aftercommit_outboxbatch")
    left = calls.left("hold") + calls.left("send")
    found = (code, kinds, calls.effects(), [*left], crashes, journals)
    if found != (0, ["hold", "send", "sent"], 1, [], "", "0"):
        raise Broken(f"Exit code, notes, effects, calls, crashes, journals: {found}.")
