"""The console of ``make run``: it shows what programs write, and obeys none of it."""

from tests.unit.core.stack.fakes import Screen

ORDER = "x\x1b]0;owned\x07\x9b2J\r"
SHOWN = r"x\x1b]0;owned\x07\x9b2J\r"


def test_a_program_gives_the_terminal_no_orders() -> None:
    """What a web server logs of a request is the client's."""
    screen = Screen()
    screen.line("web", ORDER)
    assert screen.text == f"web     | {SHOWN}\n"


def test_nor_does_an_ending_that_quotes_it() -> None:
    """Nor a banner with a path of that name. Colours of our own stay."""
    screen = Screen()
    screen.colourful = True
    screen.say(ORDER)
    screen.complain(f"a\n{ORDER}")
    assert screen.text == f"\033[1m{SHOWN}\033[0m\n\033[1;31ma\n{SHOWN}\033[0m\n"
