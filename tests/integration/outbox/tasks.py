"""Tasks that a real worker runs in the tests: each can be held at a gate, or end its process."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from celery import shared_task
from django.contrib.auth.models import Group

from aftercommit.call import Call


def pass_gate(gate: str) -> None:
    """Say that the gate was reached, and wait until a test opens it."""
    if not gate:
        return
    Path(gate).with_suffix(".reached").touch()
    while not Path(gate).exists():
        time.sleep(0.01)


@shared_task(max_retries=1, retry_backoff=False, default_retry_delay=0)
def make_group(name: str, gate: str = "") -> None:
    """A row; at the gate it is written and not committed."""
    Group.objects.create(name=name)
    pass_gate(gate)


@shared_task(batch=True)
def make_groups(calls: Sequence[Call]) -> None:
    """A row for each call; at the gate of the last all are written, and none is committed."""
    Group.objects.bulk_create(Group(name=call.kwargs["name"]) for call in calls)
    pass_gate(calls[-1].kwargs.get("gate", ""))


@shared_task(batch=True)
def make_groups_or_die(calls: Sequence[Call]) -> None:
    """A row for each call; one that is named "killer" ends the process."""
    for call in calls:
        Group.objects.create(name=call.kwargs["name"])
        if call.kwargs["name"] == "killer":
            os._exit(9)


@shared_task(atomic=False, lease=2)
def send_outside(path: str, gate: str = "") -> None:
    """A line in a file: an effect that no rollback takes back."""
    with Path(path).open("a") as file:
        file.write("sent\n")
    pass_gate(gate)


@shared_task(ignore_result=False)
def count_names(name: str) -> dict[str, int]:
    """A row, and how many there are of this name."""
    Group.objects.create(name=name)
    return {name: Group.objects.filter(name=name).count()}


@shared_task(bind=True, max_retries=0)
def fail(self: Any, text: str) -> None:
    """An error."""
    raise ValueError(text)


@shared_task(atomic=False, max_retries=0)
def fail_outside(text: str) -> None:
    """An error outside the calls' transaction."""
    raise ValueError(text)


@shared_task(max_retries=0)
def take_unlimited_time(name: str, seconds: float) -> None:
    """A row, after a while, without a limit of its own."""
    time.sleep(seconds)
    Group.objects.create(name=name)


@shared_task(soft_time_limit=1, max_retries=0)
def take_time(name: str, seconds: float = 0.1) -> None:
    """A row, after a while."""
    time.sleep(seconds)
    Group.objects.create(name=name)


@shared_task(atomic=False, time_limit=1, lease=30)
def take_time_outside(name: str, seconds: float = 0.1) -> None:
    """The same, outside the calls' transaction."""
    time.sleep(seconds)
    Group.objects.create(name=name)


@shared_task(rate_limit="2/s")
def go_slowly(path: str) -> None:
    """A line with the time."""
    with Path(path).open("a") as file:
        file.write(f"{time.time()}\n")


@shared_task(rate_limit="1/h")
def make_group_hourly(name: str) -> None:
    """A row, once an hour."""
    Group.objects.create(name=name)
