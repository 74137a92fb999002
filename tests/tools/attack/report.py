"""The table of what was tried, and what did not hold."""

from collections.abc import Iterable, Iterator, Sequence

from aftercommit.printable import make_printable
from tests.tools.attack.tries import Result
from tests.tools.demo.progress import Screen

SHOWN = 5
"""Failures of one attack that are printed. The table says how many there are."""


def print_report(results: Sequence[Result], screen: Screen) -> int:
    """Print the table. Return the exit status: 0 if everything held, 1 otherwise."""
    for line in table(results):
        screen.line(line)
    lost = [result for result in results if not result.held]
    for line in failures(lost):
        screen.complain(line)
    tries = sum(result.tries.count for result in results)
    screen.line(f"{tries} tries of {len(results)} attacks. {len(lost)} attacks were not held off.")
    return 1 if lost or not results else 0


def table(results: Iterable[Result]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield ""
    yield f"{'Area':<11} {'Tries':>6} {'Seconds':>8}  {'':<9}  What was tried"
    yield "─" * 96
    for result in results:
        numbers = f"{result.tries.count:>6} {result.seconds:>8.1f}"
        yield f"{result.area:<11} {numbers}  {result.verdict:<9}  {result.title}"
    yield ""


def failures(lost: Iterable[Result]) -> Iterator[str]:
    """Yield what did not hold, a few for each attack. A site's answer can have any character."""
    for result in lost:
        yield f"{result.area}: {result.title}: {result.verdict}"
        found = result.tries.failures
        for failure in found[:SHOWN]:
            yield f"  {make_printable(failure)}"
        if len(found) > SHOWN:
            yield f"  … and {len(found) - SHOWN} more"
