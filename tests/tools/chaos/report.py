"""What a run found, for a person to read."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.tools.chaos.checks import UNCONFIRMED, Kind, Problem
from tests.tools.chaos.endings import count_endings
from tests.tools.chaos.evidence import Evidence
from tests.tools.chaos.fault import BROKER, MAIL, WORKER
from tests.tools.chaos.requests import delays
from tests.tools.chaos.schedule import Injection
from tests.tools.chaos.traffic import Answer

COUNTED = (Kind.LOST, Kind.DOUBLED, Kind.STUCK)
"""What is told of even if there is none."""
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
    yield from _calls(evidence)
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
    yield f"unconfirmed     {mails[UNCONFIRMED]} of these mails"


def _calls(evidence: Evidence) -> Iterator[str]:
    """Tell how the chaos run's own calls ended, and what happened to them."""
    endings = count_endings(evidence.own, evidence.traces)
    told = ", ".join(f"{count} {status}" for status, count in sorted(endings.items()))
    yield f"calls checked   {len(evidence.own)} ({told or 'none'})"
    fates = Counter(call.fate for call in evidence.own)
    yield from (f"    {count:>4} {fate}" for fate, count in sorted(fates.items()))


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
    others = sorted({*kinds} - {*COUNTED})
    yield from (f"{kind:<15} {kinds[kind]}" for kind in (*COUNTED, *others))
    yield from (f"  {problem}" for problem in problems[:SHOWN])
    if len(problems) > SHOWN:
        yield f"  … and {len(problems) - SHOWN} more"
