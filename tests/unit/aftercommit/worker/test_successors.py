"""A worker that was killed is missed until another has come for it."""

import pytest

from aftercommit.worker.successors import Life, not_replaced

STALE = 30


def alive(name: str, first_seen: float) -> Life:
    """Return a worker that lives."""
    return Life(name, first_seen, 1, has_ended=False)


def killed(name: str, last_seen: float, first_seen: float = 1000) -> Life:
    """Return a worker that went without a word."""
    return Life(name, first_seen, last_seen, has_ended=False)


def stopped(name: str, last_seen: float, first_seen: float = 1000) -> Life:
    """Return a worker that was stopped in good order."""
    return Life(name, first_seen, last_seen, has_ended=True)


def missed(*lives: Life) -> list[str]:
    """Return the names of those that are missed."""
    return [each.name for each in not_replaced(lives, STALE) if each.last_seen > STALE]


@pytest.mark.parametrize(
    ("lives", "expected"),
    [
        pytest.param([killed("w@1", 100)], ["w@1"], id="nobody came"),
        pytest.param([killed("w@1", 100), alive("w@2", 90)], [], id="another came"),
        pytest.param([killed("w@1", 100), alive("w@2", 500)], ["w@1"], id="it was there before"),
        pytest.param([killed("w@1", 100), alive("mail@2", 90)], ["w@1"], id="another kind came"),
        pytest.param(
            [killed("w@1", 100), killed("w@2", 99), alive("w@3", 90)], ["w@1"], id="one of two came"
        ),
        pytest.param(
            [killed("w@1", 100), killed("w@2", 80, 90), alive("w@3", 70)],
            [],
            id="one after another",
        ),
        pytest.param(
            [killed("w@1", 100), stopped("w@2", 80), alive("w@3", 85)], ["w@1"], id="for another"
        ),
        pytest.param(
            [killed("w@1", 100), stopped("w@2", 80), alive("w@3", 85), alive("w@4", 85)],
            [],
            id="a deploy",
        ),
        pytest.param(
            [killed("w@1", 100), stopped("w@2", 500), alive("w@3", 90)],
            [],
            id="stopped long before",
        ),
    ],
)
def test_missed(lives: list[Life], expected: list[str]) -> None:
    """As many must have come as went since."""
    assert missed(*lives) == expected


def test_alive_and_stopped() -> None:
    """Who lives is told of, also beside one that has a successor. Who was stopped is not."""
    lives = [killed("w@1", 100), stopped("w@0", 200), alive("w@2", 90), alive("w@3", 900)]
    assert [each.name for each in not_replaced(lives, STALE)] == ["w@2", "w@3"]


def test_silent_for_a_moment() -> None:
    """Who may still say something has no successor yet."""
    lives = [killed("w@1", STALE - 1), alive("w@2", 5)]
    assert [each.name for each in not_replaced(lives, STALE)] == ["w@1", "w@2"]
