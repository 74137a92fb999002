"""The table at the end: each action, its request, its effects, when they came, whether once."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median, quantiles
from typing import NamedTuple

from tests.tools.demo.judge import Finding
from tests.tools.demo.ledger import Action
from tests.tools.demo.named_effects import MINUS
from tests.tools.demo.truth import Truth

HEAD = ("What users did", "Request", "What followed", "After", "Once")
RIGHT = (1, 3)
GAP = "  "
SHOWN_PROBLEMS = 20
TIMES = "\N{MULTIPLICATION SIGN}"


class Outcome(NamedTuple):
    """An action and what came of it."""

    action: Action
    findings: list[Finding]

    @property
    def problems(self) -> list[str]:
        """Everything that didn't happen exactly once."""
        return [problem for finding in self.findings for problem in finding.problems]


Row = tuple[str, str, str, str, str]


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """The table's lines, at most 80 columns wide."""
    rows = [HEAD, *(row for outcome in outcomes for row in outcome_rows(outcome))]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    for number, row in enumerate(rows):
        yield GAP.join(_aligned(row[i], i, width) for i, width in enumerate(widths)).rstrip()
        if number == 0:
            yield "─" * (sum(widths) + len(GAP) * (len(widths) - 1))


def outcome_rows(outcome: Outcome) -> Iterator[Row]:
    """A row for each sort of effect, the action named in the first."""
    title, taken = outcome.action.title, request_time(outcome.action)
    for finding in outcome.findings or [Finding("nothing", [], [])]:
        once = "NO" if finding.problems else "yes"
        yield title, taken, finding.label, span(finding.delays), once
        title = taken = ""


def request_time(action: Action) -> str:
    """Milliseconds; of several requests their number and their median."""
    times = [request.milliseconds for request in action.timed]
    if not times:
        return ""
    return f"{len(times)} {TIMES} {median(times):.0f}" if len(times) > 1 else f"{times[0]:.0f}"


def span(delays: Sequence[float]) -> str:
    """Milliseconds; of several effects the first's and the last's."""
    if not delays:
        return ""
    first, last = (str(round(delay)).replace("-", MINUS) for delay in (min(delays), max(delays)))
    return first if first == last else f"{first} … {last}"


def note(outcome: Outcome) -> str:
    """An outcome in one line."""
    delays = [delay for finding in outcome.findings for delay in finding.delays]
    if outcome.problems:
        return f"{len(outcome.problems)} not exactly once"
    if not outcome.findings:
        return "nothing was due, nothing came"
    labels = ", ".join(finding.label for finding in outcome.findings)
    return f"{labels} · {span([max(delays)])} ms"


def footer(intervals: Sequence[float]) -> Iterator[str]:
    """How to read the table, and how exact its times are."""
    yield "Times in ms. Request: until the whole response was there; of several the median."
    yield "After: from that response until the effect was seen from outside, first … last;"
    if len(intervals) > 1:
        often, late = median(intervals) * 1000, quantiles(intervals, n=20)[-1] * 1000
        yield f"too late by one look at most, every {often:.0f} ms (95 % within {late:.0f} ms)."
    yield "Below zero: it was there before the response was."


def truth_lines(truths: Iterable[Truth]) -> Iterator[str]:
    """What holds at the end, and what doesn't."""
    for truth in truths:
        yield f"{'✗' if truth.problems else '✓'} {truth.sentence}"


def problem_lines(outcomes: Iterable[Outcome], truths: Iterable[Truth]) -> list[str]:
    """Every problem with what it belongs to; of very many the first."""
    lines = [f"{o.action.title}: {problem}" for o in outcomes for problem in o.problems]
    lines += [f"At the end: {problem}" for truth in truths for problem in truth.problems]
    more = len(lines) - SHOWN_PROBLEMS
    return [*lines[:SHOWN_PROBLEMS], f"… and {more} more"] if more > 0 else lines


def _aligned(text: str, column: int, width: int) -> str:
    return text.rjust(width) if column in RIGHT else text.ljust(width)
