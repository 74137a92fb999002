"""The judgement after the kills sees each loss and each double."""

from collections import Counter
from typing import Any

import pytest

from tests.containers.truth import Truth

GOOD: dict[str, Any] = {
    "articles": {"Number 1": "published", "Number 2": "draft"},
    "ids": {"Number 1": 7, "Number 2": 8},
    "created": {"7": 1, "8": 1},
    "counted": 2,
    "calls": {},
    "comments": {"First": 1},
    "deliveries": [["Number 1", "sent", "<1@here>"]],
}
ARRIVED = Counter({"1@here": 1})


def test_nothing_lost_or_doubled() -> None:
    """A draft has no mail. An article that is there without an answer is no fault."""
    assert [*Truth(GOOD, ARRIVED).problems(["Number 1"], ["First"])] == []


@pytest.mark.parametrize(
    ("changed", "arrived", "said"),
    [
        ({"articles": {}, "ids": {}, "counted": 0, "deliveries": []}, 0, "Number 1 is lost"),
        ({"created": {"8": 1}}, 1, "Number 1 has 0 entries that it was created"),
        ({"created": {"7": 2, "8": 1}}, 1, "Number 1 has 2 entries that it was created"),
        ({"counted": 3}, 1, "3 articles were counted, there are 2"),
        ({"comments": {}}, 1, "'First' is lost"),
        ({"comments": {"First": 2}}, 1, "'First' came 2 times"),
        ({"deliveries": []}, 1, "Number 1 has 0 mails for its one follower"),
        ({}, 2, "the mail about Number 1 is sent, and arrived 2 times"),
        ({}, 0, "the mail about Number 1 is sent, and arrived 0 times"),
    ],
)
def test_problem(changed: dict[str, Any], arrived: int, said: str) -> None:
    """Each is told once."""
    truth = Truth({**GOOD, **changed}, Counter({"1@here": arrived}))
    assert [*truth.problems(["Number 1"], ["First"])] == [said]


@pytest.mark.parametrize("arrived", [0, 1])
def test_mail_that_nobody_knows_of(arrived: int) -> None:
    """The sender was killed amid it. That is told, and is no fault unless it came twice."""
    deliveries = [["Number 1", "unconfirmed", "<1@here>"]]
    truth = Truth({**GOOD, "deliveries": deliveries}, Counter({"1@here": arrived}))
    assert truth.not_known == 1
    assert [*truth.problems(["Number 1"])] == []
