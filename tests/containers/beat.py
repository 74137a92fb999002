"""Beat is killed: it comes back alone, and goes on with the periodic tasks."""

from core.stack.waiting import wait_until
from tests.containers.compose import Compose
from tests.containers.errors import Broken
from tests.containers.faults import kill
from tests.containers.trial_calls import TrialCalls

WATCHED = 3
"""So many runs of a task that beat sends every two seconds are waited for."""


def check_killed(compose: Compose) -> None:
    """Kill beat. Raises unless one is back, whose tasks run."""
    ticks = TrialCalls(compose, "tick")
    wait_for_ticks(ticks)
    began = compose.states()["beat"]["StartedAt"]
    kill(compose, "beat")
    wait_until(lambda: compose.states()["beat"]["StartedAt"] != began, 60, "beat to start again")
    wait_for_ticks(ticks)
    running = compose.docker("top", compose.container("beat"), "-o", "pid,args").splitlines()
    if len([each for each in running if "python" in each and " beat " in each]) != 1:
        raise Broken(f"One beat should run. These do: {running}.")


def wait_for_ticks(ticks: TrialCalls) -> None:
    """Wait for more runs of the task. Raises TimeoutError."""
    wanted = len(ticks.notes()) + WATCHED
    wait_until(lambda: len(ticks.notes()) >= wanted, 90, "beat's tasks to run", every=0.5)
