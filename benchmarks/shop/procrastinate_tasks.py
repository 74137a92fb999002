"""The tasks of procrastinate."""

from typing import Any

from procrastinate.contrib.django import app

from benchmarks.shop.effects import EFFECTS, do, do_effect


def _effect(number: int) -> Any:
    @app.task(name=f"shop.effect_{number}")
    def effect(item_id: int, title: str) -> None:
        do_effect(number, item_id, title)

    return effect


effects = [_effect(number) for number in range(EFFECTS)]
"""The tasks of a save's effects."""


@app.task(name="shop.noop")
def noop(item_id: int) -> None:
    """Do nothing."""


@app.task(name="shop.audit")
def audit(item_id: int) -> None:
    """Write one log row."""
    do("audit", item_id)


@app.task(name="shop.counter")
def counter(item_id: int) -> None:
    """Move one counter."""
    do("counter", item_id)


@app.task(name="shop.mail")
def mail(item_id: int) -> None:
    """Send one mail."""
    do("mail", item_id)


kinds = {"noop": noop, "audit": audit, "counter": counter, "mail": mail}
"""The tasks of a backlog's effects."""
