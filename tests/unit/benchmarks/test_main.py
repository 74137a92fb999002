"""A run of the benchmarks."""

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.__main__ import exit_status, measure, names_of
from benchmarks.marks import MARKS, Figure, Outcome

MET, NOT_MET = Outcome(MARKS[0], Figure(0.1)), Outcome(MARKS[0], Figure(0.9))
NOT_MEASURED = Outcome(MARKS[0], missing="nothing")


@pytest.mark.parametrize(
    ("outcomes", "failed", "status"),
    [
        ([MET, NOT_MEASURED], [], 0),
        ([MET, NOT_MET], [], 1),
        ([MET], ["drain"], 1),
    ],
)
def test_the_exit_status(outcomes: list[Outcome], failed: list[str], status: int) -> None:
    """0 if all that was measured is met, and nothing failed."""
    assert exit_status(outcomes, failed) == status


def test_a_measure_that_fails_costs_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named, its error is shown, and what it had found until then is kept."""

    def module(name: str) -> Any:
        def found(bench: Any) -> Any:
            yield name
            if "bad" in name:
                raise ValueError("a reason")

        return SimpleNamespace(measure=found)

    monkeypatch.setattr("benchmarks.__main__.import_module", module)
    bench: Any = SimpleNamespace(progress=lambda text: None)
    results, seconds, failed = measure(bench, ["bad", "good"])
    assert failed == ["bad"]
    assert list(seconds) == ["bad", "good"]
    assert results.all == ["benchmarks.measures.bad", "benchmarks.measures.good"]
    assert "ValueError: a reason" in capsys.readouterr().err


def test_a_name_that_is_not_known_is_refused() -> None:
    """With those that are."""
    with pytest.raises(Exception, match="'c' is none of a, b"):
        names_of(("a", "b"))("a,c")
