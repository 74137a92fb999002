"""The effects done by signal handlers in the request, the last a mail that takes 50 ms."""

import os
from typing import TYPE_CHECKING

from benchmarks.contenders import synchronous_mail

if TYPE_CHECKING:
    from benchmarks.shop.models import Item


class This(synchronous_mail.This):
    """A mail server that takes 50 ms to accept a mail."""

    label = "synchronous, mail in 50 ms"

    def send_mail(self, item: "Item") -> None:
        """One mail, over a connection of its own."""
        from django.core.mail import get_connection

        from benchmarks.shop.effects import build_mail

        mail = build_mail(item.pk, item.title)
        mail.connection = get_connection(port=int(os.environ["SLOW_EMAIL_PORT"]))
        mail.send()
