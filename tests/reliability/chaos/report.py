"""What a run found, for a person to read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.reliability.chaos.checks import UNCERTAIN, Kind, Problem
from tests.reliability.chaos.evidence import Evidence
from tests.reliability.chaos.faults import BROKER, MAIL, WORKER
from tests.reliability.chaos.requests import delays
from tests.reliability.chaos.schedule import Injection
from tests.reliability.chaos.traffic import Answer

LOSSES = {Kind.LOST, Kind.STUCK}
SHOWN = 30


@dataclass
class Result:
    """All that is known at the end of a run."""

    seed: int
    database: str
    seconds: float
    operations: int
    evidence: Evidence
    answers: Sequence[Answer]
    injections: Sequence[Injection]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rest: float = 0.0
    """Seconds from the end of the traffic until everything had settled."""
    marker: float | None = None
    """Seconds that one last change took to be logged."""


def lines(result: Result) -> Iterator[str]:
    """The report."""
    evidence = result.evidence
    yield f"seed {result.seed}, {result.database}, {result.seconds:.0f} s of traffic"
    outcomes = Counter(evidence.outcomes.values())
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    yield f"operations      {result.operations} by users; of all that were noted {told}"
    failed = sum(1 for answer in result.answers if answer.problem)
    yield f"requests        {len(result.answers)}, {failed} of them not answered as expected"
    faults = Counter(each.fault.name for each in result.injections)
    yield f"faults          {sum(faults.values())}"
    yield from (f"    {count:>4} {name}" for name, count in sorted(faults.items()))
    yield from _effects(evidence)
    yield from _delays(result)
    yield f"came to rest    in {result.rest:.1f} s"
    if result.marker is not None:
        yield f"a last change   was logged in {result.marker:.2f} s"
    yield from (f"note            {note}" for note in result.notes)
    yield from _problems(result.problems)


def _effects(evidence: Evidence) -> Iterator[str]:
    changes = sum(map(len, evidence.committed.values()))
    mails = Counter(each.status for each in evidence.deliveries)
    told = ", ".join(f"{count} {status}" for status, count in sorted(mails.items()))
    yield f"effects checked {changes} audit entries, {len(evidence.counters)} counters, "
    yield f"                {len(evidence.deliveries)} mails ({told or 'none'})"
    yield f"uncertain mails {mails[UNCERTAIN]}"


def _delays(result: Result) -> Iterator[str]:
    for part in ("", BROKER, WORKER, MAIL):
        found = delays(result.answers, result.injections, part)
        if found:
            name = f"{part} broken" if part else "nothing broken"
            yield (
                f"request delay   {name}: median {found.middle * 1000:.0f} ms, worst "
                f"{found.worst * 1000:.0f} ms ({found.slowest}), of {found.requests}"
            )


def _problems(problems: Sequence[Problem]) -> Iterator[str]:
    kinds = Counter(problem.kind for problem in problems)
    lost = sum(kinds[kind] for kind in LOSSES)
    yield f"lost            {lost}"
    yield f"doubled         {kinds[Kind.DOUBLED]}"
    others = {kind: count for kind, count in kinds.items() if kind not in {*LOSSES, Kind.DOUBLED}}
    yield from (f"{kind:<15} {count}" for kind, count in sorted(others.items()))
    yield from (f"  {problem}" for problem in problems[:SHOWN])
    if len(problems) > SHOWN:
        yield f"  … and {len(problems) - SHOWN} more"
