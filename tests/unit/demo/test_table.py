"""Tests of what a person reads at the end."""

import pytest

from tests.tools.demo.judge import Sighting, judge
from tests.tools.demo.ledger import Action, Due, Request
from tests.tools.demo.named_effects import counter, mail
from tests.tools.demo.table import Outcome, footer, note, problem_lines, span, table, truth_lines
from tests.tools.demo.truth import Truth

REQUEST = Request("demo-1", "POST", 0.0, 0.0214)
MAILS = [mail(f"reader{n}@example.com", "Hello") for n in range(3)]


def outcome(came: int) -> Outcome:
    """Three mails and a view were due; the view and this many mails came."""
    view = counter("views:title", +1)
    action = Action("It is published", 0.0, [REQUEST])
    action.dues = [Due(effect, REQUEST) for effect in (*MAILS, view)]
    seen = [Sighting(effect, 0.03 + n / 100) for n, effect in enumerate(MAILS[:came])]
    return Outcome(action, judge(action, [*seen, Sighting(view, 0.02)]))


class TestTable:
    """The table itself."""

    def test_success(self) -> None:
        assert [*table([outcome(came=3)])] == [
            "What users did   Request  What followed   After  Once",
            "─────────────────────────────────────────────────────",
            "It is published       21  views +1           −1  yes",  # noqa: RUF001
            "                          3 mails        9 … 29  yes",
        ]

    def test_lost_effect_is_a_no(self) -> None:
        assert [*table([outcome(came=2)])][-1].split() == ["3", "mails", "9", "…", "19", "NO"]

    def test_action_without_effects_says_so(self) -> None:
        requests = [Request(str(n), "GET", 0.0, n / 100) for n in (1, 2, 3)]
        rows = [*table([Outcome(Action("They look", 0.0, requests), [])])]
        assert rows[-1].split() == ["They", "look", "3", "×", "20", "nothing", "yes"]  # noqa: RUF001


@pytest.mark.parametrize(
    ("delays", "text"),
    [([], ""), ([4.4], "4"), ([4.4, 3.6], "4"), ([90, 4], "4 … 90"), ([-0.3], "0")],
)
def test_span(delays: list[float], text: str) -> None:
    assert span(delays) == text


def test_note_tells_the_last_effect_or_what_is_wrong() -> None:
    assert note(outcome(came=3)) == "views +1, 3 mails · 29 ms"
    assert note(outcome(came=1)) == "2 not exactly once"
    assert note(Outcome(Action("", 0.0), [])) == "nothing was due, nothing came"


def test_problems_are_named_with_their_action() -> None:
    lines = problem_lines([outcome(came=2)], [Truth("The sum is right", ["it is 5"])])
    assert lines == [
        "It is published: mail to reader2@example.com, “Hello”: never came",
        "At the end: it is 5",
    ]


def test_very_many_problems_are_counted() -> None:
    lines = problem_lines([], [Truth("", [str(n) for n in range(25)])])
    assert lines[-2:] == ["At the end: 19", "… and 5 more"]


def test_no_line_is_wider_than_80_columns() -> None:
    lines = [*table([outcome(came=3)]), *footer([0.002, 0.003, 0.004])]
    assert max(map(len, lines)) <= 80


def test_truths_that_fail_are_marked() -> None:
    assert [*truth_lines([Truth("Good", []), Truth("Bad", ["why"])])] == ["✓ Good", "✗ Bad"]
