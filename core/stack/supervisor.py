"""Start programs as soon as what they need answers, watch them, and stop them in good order."""

import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from core.stack.console import Console
from core.stack.interrupt import Interrupt
from core.stack.process import Process, Program
from core.stack.waiting import wait_until

POLL = 0.1
PROGRESS_EVERY = 5
KILLED_WITHIN = 10
PAUSES = (0, 1, 2, 4, 8, 16, 30)
"""Seconds before a program is started again: for the first time, the second, and so on."""
STEADY = 60
"""Seconds that a program has run after which its end counts as the first again."""


class StackError(Exception):
    """The stack can't run, or can't go on. The message says which program is the cause, and why."""


class Interrupted(Exception):
    """A signal asked to stop before everything answered."""


class Supervisor:
    """Programs that run together.

    A program that ends before everything answers ends the start with StackError. A program that
    ends later has shown that it can run. It is started again however often it ends, each time after
    a longer pause, because what it needs may be away for minutes.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        environment: Mapping[str, str],
        console: Console,
        interrupt: Interrupt | None = None,
        stop_order: Sequence[str] = (),
    ) -> None:
        self.programs = {program.name: program for program in programs}
        self.environment = environment
        self.console = console
        self.interrupt = interrupt or Interrupt()
        self.stop_order = stop_order or [*reversed(self.programs)]
        self.processes: dict[str, Process] = {}
        self.ready: set[str] = set()
        self._ends: Counter[str] = Counter()
        self._due: dict[str, float] = {}

    def start(self) -> None:
        """Start what needs nothing. Call it in the main thread."""
        # If our parent ignored SIGCHLD, the kernel would forget how our programs ended.
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._start_what_can()

    def wait_ready(self, timeout: float) -> None:
        """Start the rest, each once what it needs answers. Return when every program answers."""
        begin = told = time.monotonic()
        while waiting := [name for name in self.programs if name not in self.ready]:
            if self.interrupt.requested:
                raise Interrupted
            self._start_what_can()
            self._see_who_answers()
            if time.monotonic() - begin > timeout:
                raise StackError(f"After {timeout:g} s these don't answer: {', '.join(waiting)}.")
            if time.monotonic() - told > PROGRESS_EVERY:
                told = time.monotonic()
                self.console.say(f"… {told - begin:.0f} s, waiting for {', '.join(waiting)}")
            time.sleep(POLL)

    def watch(self) -> None:
        """Start again what ends, until a signal asks to stop."""
        while not self.interrupt.requested:
            self.check()
            time.sleep(POLL)

    def check(self) -> None:
        """Look at every process once, and start again what has ended if its pause is over."""
        for name, process in [*self.processes.items()]:
            if not self.programs[name].once and process.ended() is not None:
                self._start_again(name, process)

    def stop(self) -> None:
        """Stop everything in order, each with its time to finish. Leaves nothing behind."""
        for name in self.stop_order:
            if process := self.processes.pop(name, None):
                self._stop(process)
        self.ready.clear()

    def _start_what_can(self) -> None:
        for name, program in self.programs.items():
            if name not in self.processes and self.ready.issuperset(program.needs):
                self._spawn(program)

    def _spawn(self, program: Program) -> None:
        environment = self.environment if program.environment is None else program.environment
        self.processes[program.name] = Process(program, environment, self.console.line)

    def _see_who_answers(self) -> None:
        for name, process in self.processes.items():
            if name in self.ready:
                self._refuse_early_end(process)
            elif self._answers(process):
                self.ready.add(name)
                done = "done" if process.program.once else "ready"
                self.console.say(f"✓ {name} {done} ({process.age:.1f} s)")

    def _answers(self, process: Process) -> bool:
        if process.program.once:
            code = process.ended()
            if code:
                raise StackError(process.ending())
            return code == 0
        self._refuse_early_end(process)
        return process.program.answers()

    def _refuse_early_end(self, process: Process) -> None:
        if not process.program.once and process.ended() is not None:
            raise StackError(process.ending())

    def _start_again(self, name: str, process: Process) -> None:
        if name not in self._due:
            pause = self._pause(name, process)
            when = f" in {pause:g} s" if pause else ""
            self.console.complain(f"{process.ending()}\nStarting it again{when}.")
            self._due[name] = time.monotonic() + pause
        if time.monotonic() >= self._due[name]:
            del self._due[name]
            self._spawn(self.programs[name])

    def _pause(self, name: str, process: Process) -> float:
        if process.age > STEADY:
            self._ends[name] = 0
        pause = PAUSES[min(self._ends[name], len(PAUSES) - 1)]
        self._ends[name] += 1
        return pause

    def _stop(self, process: Process) -> None:
        program = process.program
        if process.ended() is None:
            note = f": {program.stop_note}" if program.stop_note else ""
            self.console.say(f"Stopping {program.name}{note} …")
        process.ask_to_stop()
        end = f"{program.name}'s end"
        with suppress(TimeoutError):
            wait_until(lambda: self._stops_waiting_for(process), program.stops_within, end)
        if process.ended() is None:
            self.console.complain(f"{program.name} has not finished: it is killed.")
            process.kill_group()
            wait_until(lambda: process.ended() is not None, KILLED_WITHIN, end)

    def _stops_waiting_for(self, process: Process) -> bool:
        return process.ended() is not None or self.interrupt.forced
