"""The events of django-domain-events and what listens to them.

A save fires one event, to which as many receivers listen as the save is to have effects.
"""

from dataclasses import dataclass
from typing import Any

from django_domain_events import event, receiver

from benchmarks.shop.effects import do, do_effect

SAVES = (1, 3, 10)
"""How many effects a save can have."""


def _published(effects: int) -> Any:
    """The event of an item's save with so many effects."""

    @event(name=f"shop.published_{effects}")
    @dataclass(frozen=True, slots=True)
    class Published:
        item_id: int
        title: str

    for number in range(effects):
        _listen(Published, number, effects)
    return Published


def _listen(published: Any, number: int, effects: int) -> None:
    @receiver(published, key=f"shop.effect_{number}_of_{effects}")
    def effect(fired: Any) -> None:
        do_effect(number, fired.item_id, fired.title)


published = {effects: _published(effects) for effects in SAVES}
"""The event of a save, by how many effects it has."""


@event(name="shop.noop")
@dataclass(frozen=True, slots=True)
class Noop:
    """Of which nothing comes."""

    item_id: int


@event(name="shop.audit")
@dataclass(frozen=True, slots=True)
class Audit:
    """Which is logged."""

    item_id: int


@event(name="shop.counter")
@dataclass(frozen=True, slots=True)
class Count:
    """Which is counted."""

    item_id: int


@event(name="shop.mail")
@dataclass(frozen=True, slots=True)
class Mail:
    """Which somebody is told of."""

    item_id: int


@receiver(Noop, key="shop.noop")
def noop(fired: Noop) -> None:
    """Do nothing."""


@receiver(Audit, key="shop.audit")
def audit(fired: Audit) -> None:
    """Write one log row."""
    do("audit", fired.item_id)


@receiver(Count, key="shop.counter")
def counter(fired: Count) -> None:
    """Move one counter."""
    do("counter", fired.item_id)


@receiver(Mail, key="shop.mail")
def mail(fired: Mail) -> None:
    """Send one mail."""
    do("mail", fired.item_id)


kinds: dict[str, Any] = {"noop": Noop, "audit": Audit, "counter": Count, "mail": Mail}
"""The events of a backlog's effects."""
