"""Tests of doing one thing after the other and waiting for what follows."""

import io
from typing import Any

import pytest

from core.stack.interrupt import Interrupt
from core.stack.supervisor import Interrupted
from tests.tools.demo import drive
from tests.tools.demo.drive import Drive
from tests.tools.demo.judge import Sighting
from tests.tools.demo.ledger import Article, Request
from tests.tools.demo.named_effects import counter
from tests.tools.demo.progress import Screen
from tests.tools.demo.site import SiteError

VIEW = counter("views:title", +1)
ARTICLE = Article("Title", "title", "ada", "garden", published=True)


class FakeStack:
    """A stack that runs."""

    def __init__(self) -> None:
        self.interrupt = Interrupt()

    def check(self) -> None:
        """Everything runs."""


class FakeObserver:
    """Sees what it is told to; the outbox is always empty."""

    last_change = 0.0

    def __init__(self) -> None:
        self.sightings: list[Sighting] = []

    def is_settled_since(self, moment: float) -> bool:
        """Nothing ever waits."""
        return True


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> "Stage":
    """A drive that waits for hundredths of a second, with its observer, stack and output."""
    monkeypatch.setattr(drive, "PATIENCE", 0.05)
    monkeypatch.setattr(drive, "LESS_PATIENCE", 0.02)
    return Stage()


class Stage:
    """A drive and everything around it."""

    def __init__(self) -> None:
        stack: Any = FakeStack()
        observer: Any = FakeObserver()
        self.interrupt: Interrupt = stack.interrupt
        self.sightings: list[Sighting] = observer.sightings
        self.output = io.StringIO()
        self.drive = Drive(stack, observer, Screen(self.output))

    def view(self, seen: int) -> None:
        """An action with one view, after which the counter moves so many times."""
        with self.drive.action("A reader opens it"):
            started = self.drive.ledger.actions[-1].started
            request = Request("demo-1", "GET", started, started)
            self.drive.made(request)
            self.drive.ledger.viewed(request, ARTICLE)
            self.sightings += [Sighting(VIEW, started)] * seen

    @property
    def problems(self) -> list[str]:
        """What is wrong in the end."""
        return [problem for outcome in self.drive.outcomes() for problem in outcome.problems]


def test_once_is_well(stage: Stage) -> None:
    stage.view(seen=1)
    assert stage.problems == []
    assert stage.output.getvalue() == "✓ A reader opens it              views +1 · 0 ms\n"


@pytest.mark.parametrize(
    ("seen", "problem"),
    [(0, f"{VIEW}: never came"), (2, f"{VIEW}: came 2 times instead of 1")],
)
def test_lost_and_doubled_are_told(stage: Stage, seen: int, problem: str) -> None:
    stage.view(seen=seen)
    assert stage.problems == [problem]
    assert stage.output.getvalue() == "✗ A reader opens it              1 not exactly once\n"


def test_what_comes_twice_later_belongs_to_what_goes_on_then(stage: Stage) -> None:
    stage.view(seen=1)
    with stage.drive.action("Nothing"):
        begun = stage.drive.ledger.actions[-1].started
        stage.sightings.append(Sighting(VIEW, begun))
    assert stage.problems == [f"{VIEW}: came, and was not due"]


def test_action_that_breaks_off_has_no_outcome(stage: Stage) -> None:
    stage.view(seen=1)
    with pytest.raises(SiteError), stage.drive.action("A form that is answered with an error"):
        raise SiteError
    assert [outcome.action.title for outcome in stage.drive.outcomes()] == ["A reader opens it"]


def test_interrupt_ends_the_waiting(stage: Stage) -> None:
    stage.interrupt.receive(2, None)
    with pytest.raises(Interrupted):
        stage.view(seen=0)
