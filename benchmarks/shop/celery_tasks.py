"""Plain Celery tasks, one call an effect."""

from typing import Any

from celery import shared_task

from benchmarks.shop.effects import EFFECTS, do, do_effect


def _effect(number: int) -> Any:
    @shared_task(name=f"shop.effect_{number}")
    def effect(item_id: int, title: str) -> None:
        do_effect(number, item_id, title)

    return effect


effects = [_effect(number) for number in range(EFFECTS)]
"""The tasks of a save's effects."""


@shared_task
def noop(item_id: int) -> None:
    """Do nothing."""


@shared_task
def audit(item_id: int) -> None:
    """Write one log row."""
    do("audit", item_id)


@shared_task
def counter(item_id: int) -> None:
    """Move one counter."""
    do("counter", item_id)


@shared_task
def mail(item_id: int) -> None:
    """Send one mail."""
    do("mail", item_id)


kinds = {"noop": noop, "audit": audit, "counter": counter, "mail": mail}
"""The tasks of a backlog's effects."""
