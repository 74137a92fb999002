"""Django's own kind of tasks, by the package that brings them to Django 5.2."""

from typing import Any

from django_tasks import task

from benchmarks.shop.effects import EFFECTS, do, do_effect


def _effect(number: int) -> Any:
    def effect(item_id: int, title: str) -> None:
        do_effect(number, item_id, title)

    effect.__name__ = effect.__qualname__ = f"effect_{number}"  # a worker imports it by this name
    return task(effect)


effects = [_effect(number) for number in range(EFFECTS)]
"""The tasks of a save's effects."""

globals().update({each.name: each for each in effects})


@task
def noop(item_id: int) -> None:
    """Do nothing."""


@task
def audit(item_id: int) -> None:
    """Write one log row."""
    do("audit", item_id)


@task
def counter(item_id: int) -> None:
    """Move one counter."""
    do("counter", item_id)


@task
def mail(item_id: int) -> None:
    """Send one mail."""
    do("mail", item_id)


kinds = {"noop": noop, "audit": audit, "counter": counter, "mail": mail}
"""The tasks of a backlog's effects."""
