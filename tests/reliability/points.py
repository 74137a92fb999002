"""The named points at which a test stops a process; what stops there is killed, or goes on.

A process that is to be stopped imports this module (a worker by ``--include``). ``FAULT_POINT`` in
its environment names the point, ``FAULT_GATE`` the gate that it waits at there, whoever comes by.
"""

import os
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from django.utils.module_loading import import_string

from tests.integration.outbox.tasks import pass_gate

BEFORE, AFTER = "before", "after"

POINTS = {
    # A process that commits, in the order of the way.
    "calls not stored": (BEFORE, "aftercommit.db.hook.store_calls"),
    "before COMMIT": (AFTER, "aftercommit.db.hook.store_calls"),
    "after COMMIT": (BEFORE, "aftercommit.db.hook.wake_tasks"),
    # One that calls a task outside any transaction.
    "alone, not stored": (BEFORE, "aftercommit.outbox.pending.store_calls"),
    "alone, stored": (AFTER, "aftercommit.outbox.pending.store_calls"),
    # Either of them.
    "in the wake thread": (BEFORE, "aftercommit.outbox.wake.send_wake_up"),
    "flag read": (AFTER, "aftercommit.outbox.waker.read_turns"),
    "wake-up sent": (AFTER, "aftercommit.outbox.wake.send_wake_up"),
    "at exit": (BEFORE, "aftercommit.outbox.wake.Waker.flush"),
    # A worker, likewise.
    "woken": (BEFORE, "aftercommit.worker.tasks.drain_task"),
    "claimed": (AFTER, "aftercommit.worker.atomic_calls.claim_batch"),
    "leased": (AFTER, "aftercommit.worker.lease.Lease.take"),
    "in the effect": (BEFORE, "tests.reliability.tasks.half_done"),
    "effect had": (BEFORE, "aftercommit.worker.atomic_calls.settle_done"),
    "sent": (AFTER, "aftercommit.worker.runner.Runner.run"),
    "settled": (AFTER, "aftercommit.worker.atomic_calls.settle_done"),
    "settled by statement": (
        AFTER,
        "aftercommit.db.postgresql.outbox.PostgreSQLOperations.settle_by_statement",
    ),
    "drained": (AFTER, "aftercommit.worker.tasks.drain_task"),
    "sweeping": (BEFORE, "aftercommit.worker.sweeper.recover"),
    "swept": (BEFORE, "aftercommit.worker.sweep.send_wake_up"),
}
"""Each point: whether it is before or after the call of a function, and which."""


def stop_at(point: str, gate: str) -> None:
    """Make this process, and what it forks, wait for the gate at the point."""
    when, path = POINTS[point]
    owner, name = path.rsplit(".", 1)
    function = import_string(path) if owner.rsplit(".", 1)[-1].islower() else None
    holder: Any = import_module(owner) if function else import_string(owner)
    setattr(holder, name, gated(getattr(holder, name), when, gate))


def gated(function: Callable[..., Any], when: str, gate: str) -> Callable[..., Any]:
    """The function with a gate before or after it."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if when == BEFORE:
            pass_gate(gate)
        value = function(*args, **kwargs)
        if when == AFTER:
            pass_gate(gate)
        return value

    return call


if "FAULT_POINT" in os.environ:
    stop_at(os.environ["FAULT_POINT"], os.environ["FAULT_GATE"])
