"""The message of a delivery, and the connection that carries it."""

from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from .models import Delivery


def build_message(delivery: Delivery) -> EmailMultiAlternatives:
    """Return the delivery's mail: plain text and HTML, under the delivery's own Message-ID."""
    context = {
        "article": delivery.article,
        "comment": delivery.comment,
        "recipient": delivery.recipient,
        "site_url": settings.SITE_URL.rstrip("/"),
    }
    folder = f"notifications/mail/{delivery.kind}"
    subject = render_to_string(f"{folder}/subject.txt", context)
    message = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=render_to_string(f"{folder}/body.txt", context),
        to=[delivery.address],
        headers={"Message-ID": delivery.message_id, "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string(f"{folder}/body.html", context), "text/html")
    return message


def new_connection() -> Any:
    """Return the configured mail backend, not connected yet."""
    # Django 6.1 deprecates get_connection() for mailers, which 5.2 doesn't have.
    mailers = getattr(mail, "mailers", None)
    return mail.get_connection() if mailers is None else mailers.default
