"""The attacks, one after the other, on a copy of the site that is up."""

from collections.abc import Sequence

from core.stack.stack import Stack
from tests.tools.attack.registry import Attack, attacks_of
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Clock, Result
from tests.tools.demo.progress import QuietConsole, Screen


def attack_all(
    areas: Sequence[str], stack: Stack, console: QuietConsole, screen: Screen
) -> list[Result]:
    """Carry out the attacks of the areas."""
    with Target(stack, console) as target:
        attacks = [each for area in areas for each in attacks_of(area)]
        return [carry_out(each, target, screen) for each in attacks]


def carry_out(attack: Attack, target: Target, screen: Screen) -> Result:
    """Carry out one attack. Raises Interrupted after Ctrl-C."""
    screen.working(attack.title)
    target.check()
    clock = Clock(attack.area, attack.title)
    with clock as tries:
        attack.run(target, tries)
    result = clock.result
    screen.done(attack.area, f"{attack.title}: {result.verdict}", good=result.held)
    return result
