"""django-domain-events: an event's row and a row for each receiver, delivered by its relay."""

import sys
from typing import TYPE_CHECKING, Any

from benchmarks.contender import Contender

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(Contender):
    """``fire`` of one event, to which a durable receiver an effect listens."""

    label = "django-domain-events"
    durable = True
    differs = "one event a save, with the arguments of all its effects; keeps events and deliveries"
    apps = ("django_domain_events",)

    def set_up(self) -> None:
        """The shop's events and receivers, which the library finds by their module's name."""
        from benchmarks.shop import events

        self.events = events

    def add_effects(self, item: "Item", effects: int) -> None:
        """One event."""
        from django_domain_events import fire

        if effects:
            fire(self.events.published[effects](item_id=item.pk, title=item.title))

    def add(self, kind: str, number: int) -> None:
        """One event."""
        from django_domain_events import fire

        fire(self.events.kinds[kind](item_id=number))

    def enqueue(self, kind: str, count: int) -> None:
        """One event by ``fire``, and copies of it and of its delivery."""
        from django.db import transaction

        from benchmarks.backlog import chunks

        for numbers in chunks(count):
            with transaction.atomic():
                self.add(kind, numbers[0])
                self._add_copies(numbers[1:])

    def _add_copies(self, numbers: range) -> None:
        from django_domain_events.models import DeliveryRecord, EventRecord

        from benchmarks.backlog import add_copies

        def change_event(row: Any, number: int) -> None:
            row.payload = {"item_id": number}

        def change_delivery(row: Any, number: int) -> None:
            row.event_id = events[number - numbers.start].pk

        delivery = DeliveryRecord.objects.latest("pk")
        events = add_copies(EventRecord.objects.latest("pk"), numbers, change_event)
        add_copies(delivery, numbers, change_delivery)

    def left(self, kind: str) -> int:
        """The deliveries to the kind's receiver that have not ended."""
        from django_domain_events.models import DeliveryRecord

        deliveries = DeliveryRecord.objects.filter(receiver_key=f"shop.{kind}")
        return deliveries.filter(status__in=["pending", "claimed", "failed"]).count()

    def clear(self) -> None:
        """No events."""
        from django_domain_events.models import EventRecord

        from benchmarks.backlog import truncate

        truncate(EventRecord)

    def workers(self, processes: int) -> list[list[str]]:
        """So many relays, which run the receivers themselves."""
        return [[sys.executable, "-m", "django", "deliver_events"]] * processes
