"""What the users noticed: which requests failed or waited, and what was broken at that time."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from tests.tools.chaos.checks import Kind, Problem
from tests.tools.chaos.fault import DATABASE, HOST, WEB
from tests.tools.chaos.schedule import Injection
from tests.tools.chaos.traffic import Answer

OWN = {WEB, DATABASE}
"""The parts that a request runs in, and may fail with."""
LOCKING = {HOST}
"""The parts that may hold what a request waits for: a row, until the database ends what is idle."""
AFTER = 4.0
"""Seconds after the end of such a fault in which its consequences show."""
LONGEST = 5.0
"""Seconds that no request takes while only parts are broken that it doesn't run in; a client of a
broker that never answers waits as long."""


class Delays(NamedTuple):
    """How long requests took, in seconds."""

    requests: int
    middle: float
    worst: float
    slowest: str


def broken_during(answer: Answer, injections: Sequence[Injection]) -> set[str]:
    """The parts that were broken while the request ran, or had just been."""
    return {
        each.fault.part
        for each in injections
        if each.begun <= answer.ended
        and (each.ended or answer.ended) + (AFTER if each.fault.part in OWN else 0)
        >= answer.started
    }


def split(
    answers: Sequence[Answer], injections: Sequence[Injection]
) -> dict[frozenset[str], list[Answer]]:
    """The requests by the parts that were broken at their time."""
    found: dict[frozenset[str], list[Answer]] = {}
    for answer in answers:
        found.setdefault(frozenset(broken_during(answer, injections)), []).append(answer)
    return found


def check_requests(answers: Sequence[Answer], injections: Sequence[Injection]) -> Iterator[Problem]:
    """No request failed or waited while its own web process and database were sound."""
    for parts, group in split(answers, injections).items():
        if parts & OWN:
            continue
        names = ", ".join(sorted(parts)) or "nothing"
        for answer in group:
            if answer.problem:
                yield Problem(Kind.FAILED, f"{answer.problem} (broken: {names})")
            elif answer.seconds > LONGEST and not parts & LOCKING:
                text = f"{answer.what} took {answer.seconds:.1f} s (broken: {names})"
                yield Problem(Kind.FAILED, text)


def delays(
    answers: Sequence[Answer], injections: Sequence[Injection], part: str = ""
) -> Delays | None:
    """Of the requests while this part was broken (none, if "") and their own were sound."""
    chosen = [
        answer
        for parts, group in split(answers, injections).items()
        if not parts & OWN and (part in parts if part else not parts)
        for answer in group
    ]
    if not chosen:
        return None
    worst = max(chosen, key=lambda answer: answer.seconds)
    return Delays(len(chosen), median(each.seconds for each in chosen), worst.seconds, worst.what)
