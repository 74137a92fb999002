"""A process that forks as a worker's pool does, with threads at work. It says what its child does.

Run as a program of its own: in a fork of the tests' process threads of pytest would be missing.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import django

DEADLINE = 30


def fork_and_wait(child: Callable[[], None]) -> None:
    """Fork, have the child call the function, and exit with 1 unless it does so in time."""
    pid = os.fork()
    if not pid:
        threading.Timer(DEADLINE, os._exit, [2]).start()
        try:
            child()
        except BaseException as error:  # noqa: BLE001  # it must not go on as the parent does
            print("The child failed:", repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"The child ended with {status}")


def wake() -> None:
    """Send a wake-up in a parent, whose thread the child hasn't got, then one in the child."""
    from aftercommit.outbox import wake

    sent: list[str] = []
    wake.publish = lambda name, *_: sent.append(name)  # type: ignore[assignment]
    wake.hold_back = lambda *_: None  # type: ignore[assignment]
    wake.wake_task("default", "parent")
    assert wake.flush_wake_ups(DEADLINE)

    def child() -> None:
        wake.wake_task("default", "child")
        assert wake.flush_wake_ups(DEADLINE)
        assert sent == ["parent", "child"], sent

    fork_and_wait(child)


def deferred() -> None:
    """Keep a write that only the parent is to do."""
    from aftercommit.worker import deferred_writes

    class Write:
        using, task = "default", "task"

        def finish(self) -> bool:
            return False

    deferred_writes.defer(Write())

    def child() -> None:
        assert deferred_writes.write_deferred(), "the child has the parent's write"

    fork_and_wait(child)


def held() -> None:
    """Fork while a thread is at the database: the fork waits for the end of its block."""
    from aftercommit.worker import forks

    inside, left = threading.Event(), threading.Event()

    def hold() -> None:
        with forks.no_fork():
            inside.set()
            deadline = time.monotonic() + forks.FORK_WAITS / 2
            while not is_forking(forks) and time.monotonic() < deadline:
                os.sched_yield()
            left.set()

    threading.Thread(target=hold, daemon=True).start()
    assert inside.wait(DEADLINE)

    def child() -> None:
        assert left.is_set(), "forked amid the block"
        thread = threading.Thread(target=pass_block, daemon=True)
        thread.start()
        thread.join(DEADLINE / 2)
        assert not thread.is_alive(), "the child's threads wait for one of the parent's"

    fork_and_wait(child)


def pass_block() -> None:
    """Enter a block and leave it."""
    from aftercommit.worker import forks

    with forks.no_fork():
        pass


def is_forking(forks: object) -> bool:
    """Return whether another thread holds the gate, as one does that forks."""
    gate = forks._gate  # type: ignore[attr-defined]
    if not gate.acquire(blocking=False):
        return True
    gate.release()
    return False


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    django.setup()
    {"wake": wake, "deferred": deferred, "held": held}[sys.argv[1]]()
