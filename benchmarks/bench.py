"""What a measure gets to work with: servers, contenders in processes of their own, workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from benchmarks.child import Child
from benchmarks.contender import load
from benchmarks.marks import BACKEND, BARE, FLOOR, OURS
from benchmarks.servers import Servers
from core.stack.tether import tethered
from core.stack.waiting import wait_until

READY_WITHIN = 60
"""Seconds that workers may take to do their first effect."""


class Bench:
    """What a measure gets: the servers, the contenders, and a way to say how far it is."""

    def __init__(self, servers: Servers, contenders: Sequence[str], quick: bool) -> None:
        self.servers = servers
        self.contenders = [name for name in contenders if not load(name).audits]
        self.auditors = [name for name in contenders if load(name).audits]
        self.quick = quick
        self._children: dict[str, Child] = {}
        self._started = time.monotonic()

    def child(self, name: str) -> Child:
        """The running child of a contender, its database prepared; the same each time."""
        return self.start([name])[name]

    def start(self, names: Sequence[str]) -> dict[str, Child]:
        """The running children of these contenders; those that are new start side by side."""
        for name in names:
            if name not in self._children:
                self.progress(f"starting {name}")
                self._children[name] = Child(self.servers, name)
        children = {name: self._children[name] for name in names}
        for child in children.values():
            child.wait()
        return children

    @contextmanager
    def workers(
        self, name: str, processes: int, ready: bool = True
    ) -> Iterator[list[subprocess.Popen[bytes]]]:
        """The contender's workers while the block runs.

        If ``ready``, they have done a first effect, a no-op: give them no backlog before that.
        """
        child = self.child(name)
        environment = self.servers.environment(name)
        log = self.servers.var / f"workers-of-{name}.log"
        with ExitStack() as stack:
            running = [
                stack.enter_context(worker(command, environment, log))
                for command in load(name).workers(processes)
            ]
            if ready and running:
                child.do("enqueue", kind="noop", count=1)
                self._wait_for_workers(child, log)
            yield running

    def _wait_for_workers(self, child: Child, log: Path) -> None:
        try:
            what = f"the workers of {child.name}"
            wait_until(lambda: child.do("left", kind="noop") == 0, READY_WITHIN, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error} They wrote:\n{log.read_text()[-2000:]}") from None

    def progress(self, text: str) -> None:
        """Say on standard error what is being done."""
        print(f"{time.monotonic() - self._started:6.1f} s  {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the children."""
        for child in self._children.values():
            child.close()


@contextmanager
def worker(
    command: list[str], environment: dict[str, str], log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs while the block does; what it started ends with it.

    What it writes goes to the log, or to standard error: standard output is the report's.
    """
    with log.open("ab") if log else nullcontext(sys.stderr) as output:
        process = subprocess.Popen(
            tethered(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def available() -> list[str]:
    """The names of all contenders, ours and the floors first."""
    folder = Path(__file__).parent / "contenders"
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    floors = [BARE, BACKEND, FLOOR]
    others = [name for name in names if name not in floors]
    return floors + sorted(others, key=lambda name: not name.startswith(OURS))
