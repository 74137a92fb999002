"""How a run of the containers ends, and what it says then."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.containers import __main__ as program
from tests.containers import machine, mounts, own_engine
from tests.containers.errors import Broken, CannotRun

Failing = Callable[..., NoReturn]


def failing(error: Exception) -> Failing:
    """Return a function that raises the error."""

    def fail(*arguments: object) -> NoReturn:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (
            CannotRun("there are\nno namespaces"),
            77,
            "NOT RUN: the containers. Because there are no",
        ),
        (Broken("The image has 900 MB."), 1, "Broken: The image has 900 MB."),
        (TimeoutError("Waited in vain."), 1, "TimeoutError: Waited in vain."),
    ],
)
def test_status(
    error: Exception,
    expected: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One that could not be run is neither a success nor a failure, and says so in one line."""
    monkeypatch.setattr(program, "perform", failing(error))
    assert program.main([]) == expected
    line, *more = capsys.readouterr().out.splitlines()
    assert line.startswith(said)
    assert more == []


def test_not_run_for_a_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A caller that goes on has the line in a file, and shows it last."""
    monkeypatch.setattr(program, "perform", failing(CannotRun("there are no namespaces")))
    assert program.main(["--not-run", str(tmp_path / "line")]) == 0
    assert (tmp_path / "line").read_text().startswith("NOT RUN: the containers. Because there are")
    assert capsys.readouterr().out == ""


def test_failure_for_a_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not hold is a failure for every caller, and never written as not run."""
    monkeypatch.setattr(program, "perform", failing(Broken("The image has 900 MB.")))
    assert program.main(["--not-run", str(tmp_path / "line")]) == 1
    assert not (tmp_path / "line").exists()


def test_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is 0 then."""
    monkeypatch.setattr(program, "perform", lambda screen: None)
    assert program.main([]) == 0


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing that a machine lacks is named."""
    monkeypatch.setattr(machine, "needs", lambda: [(True, "one"), (False, "two"), (False, "three")])
    with pytest.raises(CannotRun, match=r"^two$"):
        machine.check_machine()


def test_no_program() -> None:
    """A program that is not there does not succeed."""
    assert machine.succeeds(("true",))
    assert not machine.succeeds(("false",))
    assert not machine.succeeds(("no-such-program-here",))


def test_mounted(tmp_path: Path) -> None:
    """What is mounted elsewhere is none of ours."""
    assert mounts.mounted_below(tmp_path) == []
    assert "/proc" in mounts.mounted_below(Path("/proc"))


def test_one_at_a_time(tmp_path: Path) -> None:
    """Two engines would spoil each other's images."""
    folder = tmp_path / "images"
    first = own_engine.lock(folder)
    with first, pytest.raises(CannotRun, match="another run uses the images in"):
        own_engine.lock(folder)
    own_engine.lock(folder).close()
