"""The supervisor with tiny programs: order of start, warm stop, second signal, sudden ends."""

import os
import re
import signal
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from core.stack import supervisor as module
from core.stack.interrupt import Interrupt
from core.stack.process import Program
from core.stack.supervisor import Interrupted, StackError, Supervisor
from core.stack.waiting import wait_until
from tests.unit.core.stack.fakes import READY_WITHIN, Screen, lines_of, python, serving
from tests.unit.core.stack.test_process import is_running

Supervise = Callable[..., Supervisor]


@pytest.fixture
def screen() -> Screen:
    """What the person sees."""
    return Screen()


@pytest.fixture
def interrupt() -> Interrupt:
    """The signals received so far: none."""
    return Interrupt()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """What the programs did, in order."""
    return tmp_path / "journal"


@pytest.fixture
def supervise(screen: Screen, interrupt: Interrupt) -> Generator[Supervise, None, None]:
    """Makes a supervisor of programs, which ends with the test."""
    made: list[Supervisor] = []

    def make(*programs: Program, stop_order: tuple[str, ...] = ()) -> Supervisor:
        made.append(Supervisor(programs, os.environ, screen, interrupt, stop_order))
        return made[-1]

    yield make
    interrupt.count = 2
    for supervisor in made:
        supervisor.stop()


def started(supervisor: Supervisor) -> Supervisor:
    """The supervisor, with every program answering."""
    supervisor.start()
    supervisor.wait_ready(READY_WITHIN)
    return supervisor


class TestStart:
    """From nothing to all programs answering."""

    def test_a_program_starts_when_what_it_needs_answers(
        self, supervise: Supervise, journal: Path
    ) -> None:
        """The order is that of the needs, not that of the list."""
        web = serving("web", journal, needs=("step",))
        step = Program(
            "step",
            python("open(__import__('sys').argv[1], 'a').write('done step\\n')", journal),
            needs=("redis",),
            once=True,
        )
        started(supervise(web, step, serving("redis", journal)))
        assert lines_of(journal) == ["started redis", "done step", "started web"]

    def test_each_program_is_reported(
        self, supervise: Supervise, journal: Path, screen: Screen
    ) -> None:
        """A server is ready, a step is done, and both say how long it took."""
        started(supervise(Program("step", python("print('hi')"), once=True), serving("w", journal)))
        assert "✓ step done (" in screen.text
        assert "✓ w ready (" in screen.text
        assert "step    | hi" in screen.text

    def test_fail_when_a_step_fails(self, supervise: Supervise, journal: Path) -> None:
        """Its last lines are in the error, and what needs it is never started."""
        step = Program("step", python("raise SystemExit('no table')"), once=True)
        supervisor = supervise(step, serving("web", journal, needs=("step",)))
        with pytest.raises(StackError, match=r"step ended with exit code 1.*\n.*no table"):
            started(supervisor)
        assert lines_of(journal) == []

    def test_fail_when_a_program_ends_early(self, supervise: Supervise) -> None:
        """A server that ends before all answer isn't started again."""
        broken = Program("web", python("print('bad option')"), answers=lambda: False)
        with pytest.raises(StackError, match=r"web ended with exit code 0.*\n.*bad option"):
            started(supervise(broken))

    def test_fail_when_a_program_never_answers(self, supervise: Supervise, journal: Path) -> None:
        """The deadline's error names it."""
        silent = Program("web", serving("web", journal).command, answers=lambda: False)
        supervisor = supervise(silent)
        supervisor.start()
        with pytest.raises(StackError, match=r"After 0\.2 s these don't answer: web"):
            supervisor.wait_ready(0.2)

    def test_a_signal_interrupts_it(
        self, supervise: Supervise, interrupt: Interrupt, journal: Path
    ) -> None:
        """Whoever presses Ctrl-C early needn't wait for the rest."""
        supervisor = supervise(
            Program("web", serving("web", journal).command, answers=lambda: False)
        )
        supervisor.start()
        interrupt.receive(signal.SIGINT, None)
        with pytest.raises(Interrupted):
            supervisor.wait_ready(READY_WITHIN)


class TestStop:
    """From all programs answering to nothing left."""

    def test_programs_stop_one_after_the_other(self, supervise: Supervise, journal: Path) -> None:
        """In the order that was given, each when the one before has finished its work."""
        programs = [serving("redis", journal), serving("worker", journal, seconds=0.3)]
        supervisor = started(supervise(*programs, stop_order=("worker", "redis")))
        journal.unlink()
        supervisor.stop()
        assert lines_of(journal) == [
            "asked worker",
            "finished worker",
            "asked redis",
            "finished redis",
        ]

    def test_the_screen_says_what_it_waits_for(
        self, supervise: Supervise, journal: Path, screen: Screen
    ) -> None:
        """The note of a program that may take long."""
        supervisor = started(supervise(serving("w", journal, stop_note="tasks finish first")))
        supervisor.stop()
        assert "Stopping w: tasks finish first …" in screen.text

    def test_only_the_main_process_is_asked(self, supervise: Supervise, journal: Path) -> None:
        """Its children get no signal: a pool's child would drop the task that it runs."""
        code = """
            import pathlib, signal, subprocess, sys
            arguments = [sys.argv[2], "child", sys.argv[1], "0"]
            worker = subprocess.Popen([sys.executable, "-c", *arguments])
            def stop(*_):
                pathlib.Path(sys.argv[1]).open("a").write("asked main\\n")
                sys.exit(0)
            signal.signal(signal.SIGTERM, stop)
            while True:
                signal.pause()
            """
        child_code = serving("child", journal).command[2]
        main = Program(
            "main",
            python(code, journal, child_code),
            answers=lambda: "started child" in lines_of(journal),
        )
        started(supervise(main)).stop()
        assert lines_of(journal) == ["started child", "asked main"]

    def test_a_second_signal_ends_it_at_once(
        self, supervise: Supervise, journal: Path, interrupt: Interrupt, screen: Screen
    ) -> None:
        """A program that would work on for an hour is killed, and what it started too."""
        supervisor = started(supervise(serving("worker", journal, seconds=3600)))
        pid = supervisor.processes["worker"].pid
        stopping = threading.Thread(target=supervisor.stop)
        stopping.start()
        wait_until(lambda: "asked worker" in lines_of(journal), READY_WITHIN, "the first signal")
        interrupt.count = 2
        stopping.join(READY_WITHIN)
        assert not stopping.is_alive()
        assert not is_running(pid)
        assert "finished worker" not in lines_of(journal)
        assert "worker has not finished: it is killed." in screen.text

    def test_a_program_that_takes_too_long_is_killed(
        self, supervise: Supervise, journal: Path, screen: Screen
    ) -> None:
        """After its own deadline."""
        supervisor = started(supervise(serving("w", journal, seconds=3600, stops_within=0.2)))
        pid = supervisor.processes["w"].pid
        supervisor.stop()
        assert not is_running(pid)
        assert "w has not finished: it is killed." in screen.text


class TestWatch:
    """While everything runs."""

    def test_it_ends_when_a_signal_asks(
        self, supervise: Supervise, journal: Path, interrupt: Interrupt
    ) -> None:
        """Without stopping anything itself."""
        supervisor = started(supervise(serving("web", journal)))
        interrupt.receive(signal.SIGTERM, None)
        supervisor.watch()
        assert supervisor.processes["web"].ended() is None

    def test_what_was_killed_is_started_again(
        self, supervise: Supervise, journal: Path, screen: Screen
    ) -> None:
        """The screen tells of it, with the last lines of the one that ended."""
        supervisor = started(supervise(serving("web", journal)))
        first = supervisor.processes["web"]
        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: first.ended() is not None, READY_WITHIN, "the end of the first")
        supervisor.check()
        wait_until(lambda: len(lines_of(journal)) == 2, READY_WITHIN, "the second start")
        assert "web ended by SIGKILL. Its last lines:\n    serving" in screen.text
        assert "Starting it again." in screen.text

    def test_a_step_that_is_done_is_not_started_again(
        self, supervise: Supervise, journal: Path
    ) -> None:
        """It has ended, as it should."""
        step = Program("step", python("open(__import__('sys').argv[1], 'a').write('x')", journal),
                       once=True)  # fmt: skip
        started(supervise(step)).check()
        assert lines_of(journal) == ["x"]

    @pytest.fixture
    def flaky(self, journal: Path) -> Program:
        """A program that ends as soon as it has started."""
        code = "open(__import__('sys').argv[1], 'a').write('run\\n'); print('no broker')"
        return Program("worker", python(code, journal))

    def test_what_ends_again_and_again_is_never_given_up(
        self,
        supervise: Supervise,
        flaky: Program,
        journal: Path,
        screen: Screen,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What it needs may be gone for minutes: the pauses grow to the longest and no further."""
        monkeypatch.setattr(module, "PAUSES", (0, 0.01, 0.02))
        supervisor = supervise(flaky)
        supervisor.start()

        def seven_starts() -> bool:
            supervisor.check()
            return len(lines_of(journal)) >= 7

        wait_until(seven_starts, READY_WITHIN, "the seventh start")
        pauses = re.findall(r"Starting it again(.*)\.", screen.text)
        assert pauses[:4] == ["", " in 0.01 s", " in 0.02 s", " in 0.02 s"]
        assert "no broker" in screen.text

    def test_it_waits_for_its_pause(
        self,
        supervise: Supervise,
        flaky: Program,
        journal: Path,
        screen: Screen,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Until then it isn't started, and the screen says so once."""
        monkeypatch.setattr(module, "PAUSES", (3600,))
        supervisor = supervise(flaky)
        supervisor.start()
        self.wait_ended(supervisor)
        supervisor.check()
        supervisor.check()
        assert screen.text.count("Starting it again in 3600 s.") == 1
        assert lines_of(journal) == ["run"]

    def test_one_that_ran_for_long_is_started_at_once(
        self, supervise: Supervise, flaky: Program, screen: Screen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its ends are counted anew."""
        monkeypatch.setattr(module, "PAUSES", (0, 3600))
        monkeypatch.setattr(module, "STEADY", 0)
        supervisor = supervise(flaky)
        supervisor.start()
        for _ in range(3):
            self.wait_ended(supervisor)
            supervisor.check()
        assert screen.text.count("Starting it again.") == 3

    def wait_ended(self, supervisor: Supervisor) -> None:
        """Wait until the flaky program has ended."""
        process = supervisor.processes["worker"]
        wait_until(lambda: process.ended() is not None, READY_WITHIN, "its end")


def test_a_shell_that_ignores_ended_children(supervise: Supervise, journal: Path) -> None:
    """An inherited SIGCHLD that is ignored costs nobody the knowledge of how a program ended."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        step = Program("step", python(""), once=True)
        supervisor = started(supervise(step, serving("web", journal, needs=("step",))))
        os.kill(supervisor.processes["web"].pid, signal.SIGKILL)
        wait_until(lambda: supervisor.processes["web"].ended() is not None, READY_WITHIN, "its end")
        assert "web ended by SIGKILL" in supervisor.processes["web"].ending()
        supervisor.check()
        wait_until(lambda: lines_of(journal).count("started web") == 2, READY_WITHIN, "the second")
    finally:
        signal.signal(signal.SIGCHLD, before)
