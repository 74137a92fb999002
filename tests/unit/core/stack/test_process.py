"""A process of the stack: its lines, its end, and what it leaves behind."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from core.stack.process import Process, Program
from core.stack.waiting import wait_until
from tests.unit.core.stack.fakes import READY_WITHIN, python, serving

Lines = list[tuple[str, str]]


@pytest.fixture
def lines() -> Lines:
    """What the processes of the test wrote."""
    return []


@pytest.fixture
def started(lines: Lines) -> Generator[list[Process], None, None]:
    """Processes that are killed when the test ends."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.kill_group()
        ended(process)


def run(program: Program, lines: Lines, started: list[Process]) -> Process:
    """The program, running."""
    process = Process(program, os.environ, lambda name, line: lines.append((name, line)))
    started.append(process)
    return process


def ended(process: Process) -> int:
    """The exit code, once there is one."""
    wait_until(lambda: process.ended() is not None, READY_WITHIN, "the end of the process")
    code = process.ended()
    assert code is not None
    return code


def test_its_lines_carry_its_name(lines: Lines, started: list[Process]) -> None:
    """Output and errors come line by line, without the empty ones."""
    code = "import sys; print('one'); print(); print('two', file=sys.stderr)"
    process = run(Program("fake", python(code)), lines, started)
    assert ended(process) == 0
    assert sorted(lines) == [("fake", "one"), ("fake", "two")]


def test_its_ending_tells_how_and_its_last_lines(lines: Lines, started: list[Process]) -> None:
    """An exit code and the last words."""
    process = run(Program("fake", python("print('oh no'); raise SystemExit(3)")), lines, started)
    assert ended(process) == 3
    assert process.ending() == "fake ended with exit code 3. Its last lines:\n    oh no"


def test_its_ending_names_the_signal(lines: Lines, started: list[Process], tmp_path: Path) -> None:
    """A killed process has ended by SIGKILL."""
    process = run(serving("fake", tmp_path / "journal"), lines, started)
    os.kill(process.pid, signal.SIGKILL)
    assert ended(process) == -signal.SIGKILL
    assert "fake ended by SIGKILL" in process.ending()


def test_a_program_that_is_not_there_is_named(lines: Lines, started: list[Process]) -> None:
    """The reason is the process's last line."""
    process = run(Program("fake", ["/no/such/program"]), lines, started)
    assert ended(process) == 1
    assert lines == [("fake", "/no/such/program can't be started: No such file or directory.")]


def test_what_it_started_ends_with_it(lines: Lines, started: list[Process]) -> None:
    """A child that outlives it is killed when its end is seen."""
    code = """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        print(child.pid, flush=True)
        """
    process = run(Program("fake", python(code)), lines, started)
    assert ended(process) == 0
    child = int(lines[0][1])
    wait_until(lambda: not is_running(child), READY_WITHIN, "the end of the child")


def test_it_has_a_session_of_its_own(lines: Lines, started: list[Process], tmp_path: Path) -> None:
    """Ctrl-C at the terminal signals the group in the foreground, which it isn't in."""
    process = run(serving("fake", tmp_path / "journal"), lines, started)
    wait_until(lambda: lines, READY_WITHIN, "the first line")
    assert os.getsid(process.pid) == process.pid
    assert os.getpgid(process.pid) == process.pid


def is_running(pid: int) -> bool:
    """Whether the process lives; a dead one that nobody has waited for doesn't."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
