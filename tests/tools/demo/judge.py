"""Whether what happened is what was due, each effect once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.tools.demo.ledger import Action
from tests.tools.demo.named_effects import Effect, label, sort_of


class Sighting(NamedTuple):
    """An effect that was seen, and when (``time.monotonic()``)."""

    effect: Effect
    at: float


class Finding(NamedTuple):
    """What became of the effects of one sort that an action had."""

    label: str
    delays: list[float]
    """Milliseconds from the response to when each was seen, of those that came."""
    problems: list[str]
    """A sentence for each effect that didn't happen exactly once."""


def judge(action: Action, sightings: Iterable[Sighting]) -> list[Finding]:
    """A finding for each sort of effect that was due, or was seen in the action's time."""
    due, seen = _due_times(action), _seen_times(sightings)
    sorts: dict[tuple[str, ...], list[Effect]] = defaultdict(list)
    for effect in sorted({*due, *seen}):
        sorts[sort_of(effect)].append(effect)
    return [_finding(effects, due, seen) for _, effects in sorted(sorts.items())]


def missing(action: Action, sightings: Iterable[Sighting]) -> int:
    """How many of the action's effects have not been seen."""
    due, seen = _due_times(action), _seen_times(sightings)
    return sum(max(0, len(times) - len(seen.get(effect, ()))) for effect, times in due.items())


def within(sightings: Iterable[Sighting], begin: float, end: float) -> list[Sighting]:
    """What was seen from ``begin`` until ``end``."""
    return [each for each in sightings if begin <= each.at < end]


Times = dict[Effect, list[float]]


def _due_times(action: Action) -> Times:
    times: Times = defaultdict(list)
    for effect, request in action.dues:
        times[effect].append(request.responded)
    return {effect: sorted(each) for effect, each in times.items()}


def _seen_times(sightings: Iterable[Sighting]) -> Times:
    times: Times = defaultdict(list)
    for effect, at in sightings:
        times[effect].append(at)
    return {effect: sorted(each) for effect, each in times.items()}


def _finding(effects: Sequence[Effect], due: Times, seen: Times) -> Finding:
    pairs = [(effect, due.get(effect, []), seen.get(effect, [])) for effect in effects]
    # The first to be seen belongs to the first response, and so on: views are alike.
    delays = [
        (at - responded) * 1000
        for _, dues, times in pairs
        for responded, at in zip(dues, times, strict=False)
    ]
    count = sum(len(dues) for _, dues, _ in pairs)
    problems = [problem for pair in pairs if (problem := _problem(*pair))]
    return Finding(label(effects[0], count or len(pairs)), delays, problems)


def _problem(effect: Effect, dues: Sequence[float], times: Sequence[float]) -> str:
    if len(dues) == len(times):
        return ""
    if not dues:
        return f"{effect}: came, and was not due"
    if not times:
        return f"{effect}: never came"
    return f"{effect}: came {len(times)} times instead of {len(dues)}"
