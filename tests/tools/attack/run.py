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
    """Carry out the attacks of the areas, and look for errors that they caused."""
    with Target(stack, console) as target:
        attacks = [each for area in areas for each in attacks_of(area)]
        results = [carry_out(each, target, screen) for each in attacks]
        return [*results, look_for_errors(console)]


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


def look_for_errors(console: QuietConsole) -> Result:
    """Return whether no program of the copy has logged an error, but that it refused something."""
    clock = Clock("logs", "Make a program of the site log an error")
    with clock as tries:
        for name, lines in console.written.items():
            for number, line in enumerate(lines):
                tries.hold(not is_error(line), f"{name}: {' / '.join(lines[number : number + 40])}")
    return clock.result


def is_error(line: str) -> bool:
    """Return whether a program logs what nobody expected. Django logs each refusal as security."""
    error = line.startswith(("ERROR", "CRITICAL")) or "Internal Server Error" in line
    return error and "django.security" not in line
