"""Tests of the verdict: what was lost, what came twice, what was not due at all."""

from collections.abc import Sequence

import pytest

from tests.tools.demo.judge import Sighting, judge, missing, within
from tests.tools.demo.ledger import Action, Due, Request
from tests.tools.demo.named_effects import Effect, audit, counter, mail

FIRST = Request("demo-1", "POST", 0.0, 1.0)
SECOND = Request("demo-2", "POST", 1.0, 2.0)
MAIL, OTHER_MAIL = mail("eve@example.com", "Hello"), mail("bob@example.com", "Hello")
VIEW = counter("views:title", +1)
ROW = audit("demo-1", "content.product", "UPDATE", "Pot", "admin", ["price"])


def action(*effects: Effect) -> Action:
    """An action for which these are due, after its first request."""
    return Action("Something", 0.0, [FIRST], [Due(effect, FIRST) for effect in effects])


def seen(*effects: Effect, at: float = 1.05) -> list[Sighting]:
    """Each of them, seen at this time."""
    return [Sighting(effect, at) for effect in effects]


def problems(done: Action, sightings: Sequence[Sighting]) -> list[str]:
    """All that is wrong, in one list."""
    return [problem for finding in judge(done, sightings) for problem in finding.problems]


@pytest.mark.parametrize("effect", [MAIL, VIEW, ROW])
class TestOneEffect:
    """Any one effect that is due."""

    def test_once_is_well(self, effect: Effect) -> None:
        assert problems(action(effect), seen(effect)) == []
        assert missing(action(effect), seen(effect)) == 0

    def test_lost_is_found(self, effect: Effect) -> None:
        assert problems(action(effect), []) == [f"{effect}: never came"]
        assert missing(action(effect), []) == 1

    def test_doubled_is_found(self, effect: Effect) -> None:
        doubled = seen(effect, effect)
        assert problems(action(effect), doubled) == [f"{effect}: came 2 times instead of 1"]

    def test_not_due_is_found(self, effect: Effect) -> None:
        assert problems(action(), seen(effect)) == [f"{effect}: came, and was not due"]


def test_nothing_due_and_nothing_seen_is_no_finding() -> None:
    assert judge(action(), []) == []


def test_one_doubled_does_not_make_up_for_another_that_is_lost() -> None:
    found = problems(action(MAIL, OTHER_MAIL), seen(MAIL, MAIL))
    assert found == [f"{OTHER_MAIL}: never came", f"{MAIL}: came 2 times instead of 1"]


def test_wrong_actor_is_one_that_came_and_one_that_never_did() -> None:
    wrong = audit("demo-1", "content.product", "UPDATE", "Pot", "eve", ["price"])
    assert len(problems(action(ROW), seen(wrong))) == 2


def test_counter_that_moves_too_far_is_found() -> None:
    assert problems(action(VIEW, VIEW), seen(VIEW, VIEW, VIEW)) == [
        f"{VIEW}: came 3 times instead of 2"
    ]


def test_delays_count_from_each_effects_own_response() -> None:
    done = Action("Views", 0.0, [FIRST, SECOND], [Due(VIEW, FIRST), Due(VIEW, SECOND)])
    (finding,) = judge(done, [Sighting(VIEW, 2.5), Sighting(VIEW, 1.5)])
    assert finding.delays == [500.0, 500.0]


def test_effects_of_one_sort_share_a_finding() -> None:
    labels = [finding.label for finding in judge(action(MAIL, VIEW, VIEW, ROW, OTHER_MAIL), [])]
    assert labels == ["1 audit row", "views +2", "2 mails"]


def test_within_takes_the_beginning_and_leaves_the_end() -> None:
    sightings = [*seen(MAIL, at=1.0), *seen(VIEW, at=2.0)]
    assert [each.effect for each in within(sightings, 1.0, 2.0)] == [MAIL]
