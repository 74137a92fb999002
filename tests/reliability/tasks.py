"""Tasks whose effects can be counted, so that one that happened twice is seen to have."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from celery import shared_task

from aftercommit.call import Call
from aftercommit.outbox.task import OutboxTask, find_task
from content.models import Product


def half_done() -> None:
    """Where a task is while it has its effect: the point "in the effect"."""


def write(names: Iterable[str]) -> None:
    """A row for each name, without anything that follows from a row; names may come twice."""
    Product.objects.bulk_create(Product(name=name, price=0) for name in names)


@shared_task
def write_one(name: str) -> None:
    """A row."""
    write([name])
    half_done()


@shared_task(batch=True)
def write_batch(calls: Sequence[Call]) -> None:
    """A row for each call."""
    write(call.kwargs["name"] for call in calls)
    half_done()


WRITE = """
    INSERT INTO content_product (name, price, stock, is_active)
    SELECT kwargs ->> 'name', 0, 0, true FROM calls
"""


@shared_task(batch=True, sql=WRITE)
def write_by_statement(calls: Sequence[Call]) -> None:
    """The same, by a statement where the database takes one."""
    write(call.kwargs["name"] for call in calls)
    half_done()


@shared_task(atomic=False, lease=2, retry_backoff=600, retry_jitter=False)
def send(name: str, path: str) -> None:
    """A line in a file: an effect that no rollback takes back."""
    with Path(path).open("a") as file:
        file.write(f"{name}\n")
    half_done()
    if name == "fails":
        raise ValueError("the mail server is away")


@shared_task(atomic=False, lease=2, reject_on_worker_lost=True)
def resend(name: str, path: str) -> None:
    """The same, had again rather than held when its process dies."""
    send.run(name, path)


def the_task(proxy: Any) -> OutboxTask:
    """The task itself, of what ``@shared_task`` made."""
    found = find_task(proxy.name)
    assert found
    return found
