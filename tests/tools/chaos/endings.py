"""Checks that each call of the chaos run's own ended as it had to, once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.tools.chaos.checks import HELD, UNCERTAIN, Kind, Problem
from tests.tools.chaos.evidence import DONE, Traces
from tests.tools.chaos.fates import OUTSIDE, RESULTS, SEND_AGAIN, OwnCall

DEAD = "dead"
EXPECTED_RESULTS = {DONE: "SUCCESS", DEAD: "FAILURE"}


def check_endings(calls: Sequence[OwnCall], traces: Traces) -> Iterator[Problem]:
    """Each call ended as its fate says, with its effect once or not at all, and with its result."""
    for call in calls:
        if traces.status(call) in (DONE, *HELD):  # of one that waits, the outbox's check tells
            yield from _check_status(call, traces.status(call))
            yield from _check_effects(call, traces.status(call), traces.effects(call))
            yield from _check_results(call, traces.status(call), traces.results)
    yield from _check_names({call.name for call in calls}, traces)
    yield from _check_others({str(call.id) for call in calls if call.task in RESULTS}, traces)


def _check_status(call: OwnCall, status: str) -> Iterator[Problem]:
    if status == UNCERTAIN and call.task in OUTSIDE - {SEND_AGAIN}:
        return
    if status != (DEAD if call.is_deadly else DONE):
        kind = Kind.STUCK if status in HELD else Kind.LOST
        yield Problem(kind, f"{call} is {status}")


def _check_effects(call: OwnCall, status: str, effects: int) -> Iterator[Problem]:
    text = f"{call} is {status}, and had its effect {effects} times"
    if call.is_deadly:
        if effects:
            yield Problem(Kind.UNDUE, text)
    elif status == DONE and not effects:
        yield Problem(Kind.LOST, text)
    elif effects > 1 and call.task != SEND_AGAIN:
        yield Problem(Kind.DOUBLED, text)


def _check_results(
    call: OwnCall, status: str, results: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    """A call that is done or dead has its result; what is uncertain may have one."""
    if call.task not in RESULTS or status not in EXPECTED_RESULTS:
        return
    found = [*results.get(str(call.id), ())]
    if found != [EXPECTED_RESULTS[status]]:
        kind = Kind.DOUBLED if len(found) > 1 else Kind.WRONG if found else Kind.LOST
        yield Problem(kind, f"{call} is {status}, and its results are {found}")


def _check_names(names: set[str], traces: Traces) -> Iterator[Problem]:
    for name in sorted({*traces.rows, *traces.lines} - names):
        yield Problem(Kind.UNDUE, f"an effect of {name!r}, of which no call committed")


def _check_others(ids: set[str], traces: Traces) -> Iterator[Problem]:
    """Nobody else keeps results: wake-ups, which would be a list of drains, least of all."""
    others = sum(len(states) for call, states in traces.results.items() if call not in ids)
    if others:
        yield Problem(Kind.UNDUE, f"{others} results of what keeps none, or never committed")


def count_endings(calls: Sequence[OwnCall], traces: Traces) -> Counter[str]:
    """Return how many calls are done, dead letters, or anything else."""
    return Counter(traces.status(call) for call in calls)
