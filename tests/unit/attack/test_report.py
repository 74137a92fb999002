"""The table of the attacks says what did not hold, and so does the exit status."""

from io import StringIO

import pytest

from tests.tools.attack.report import print_report
from tests.tools.attack.tries import Clock, Result
from tests.tools.demo.progress import Screen


def carried_out(*held: bool, error: str = "") -> Result:
    """What came of an attack with these tries, and perhaps an error."""
    clock = Clock("csrf", "Do something bad")
    with clock as tries:
        for each in held:
            tries.hold(each, "It was done\033[31m.")
        if error:
            raise ValueError(error)
    return clock.result


def report(*results: Result) -> tuple[int, str]:
    """The exit status, and what is printed."""
    stream = StringIO()
    return print_report(results, Screen(stream)), stream.getvalue()


def test_held() -> None:
    """Everything was tried, and nothing came of it."""
    status, text = report(carried_out(True, True))
    assert status == 0
    assert "2 tries of 1 attacks. 0 attacks were not held off." in text


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (carried_out(True, False), "NOT HELD"),
        (carried_out(True, error="no such page"), "NOT HELD"),
        (carried_out(), "NOT TRIED"),
    ],
)
def test_fail(result: Result, verdict: str) -> None:
    """One try that succeeds is enough, and so is an attack that could not be made."""
    status, text = report(carried_out(True), result)
    assert status == 1
    assert verdict in text
    assert "1 attacks were not held off." in text


def test_fail_without_attacks() -> None:
    """A run that tried nothing shows nothing."""
    assert report()[0] == 1


def test_what_failed_is_printed() -> None:
    """With no character that could change the screen. Of many failures a few are printed."""
    text = report(carried_out(*[False] * 9))[1]
    assert text.count("It was done") == 5
    assert "… and 4 more" in text
    assert "\033" not in text


def test_the_error_is_printed() -> None:
    """Whoever sees that an attack could not be made sees why."""
    assert "no such page" in report(carried_out(error="no such page"))[1]
