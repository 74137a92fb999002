"""The message of a delivery, and the connection that carries it."""

from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from .asking import Letter
from .models import Delivery

LINK = "List-Unsubscribe"


class WholeLine(str):
    """A header's value that stays on one line.

    Python's new email policies, which Django 6 uses, encode a word of more than 78 characters. No
    mail program reads an address that is encoded so.
    """

    name: str

    def __new__(cls, name: str, value: str) -> "WholeLine":
        """Return the value of the header with this name."""
        made = super().__new__(cls, value)
        made.name = name
        return made

    def fold(self, *, policy: Any) -> str:
        """Return the line with the header."""
        return f"{self.name}: {self}{policy.linesep}"


class Message(EmailMultiAlternatives):
    """A mail whose ``List-Unsubscribe`` is readable, however long its address is."""

    def message(self, **kwargs: Any) -> Any:
        """Return the mail as Python's email package has it."""
        made: Any = super().message(**kwargs)
        if hasattr(made.policy, "header_factory"):  # of the new policies
            made.replace_header(LINK, WholeLine(LINK, made[LINK]))
        return made


def build_message(delivery: Delivery, letter: Letter) -> Message:
    """Return the delivery's mail: plain text and HTML, under the delivery's own Message-ID."""
    site_url = settings.SITE_URL.rstrip("/")
    unsubscribe_url = letter.subscription.url
    context = letter.context | {
        "recipient": delivery.recipient,
        "site_url": site_url,
        "unsubscribe_url": unsubscribe_url,
        "following_url": site_url + reverse("following"),
    }
    folder = f"notifications/mail/{delivery.kind}"
    subject = render_to_string(f"{folder}/subject.txt", context)
    message = Message(
        subject=" ".join(subject.split()),
        body=render_to_string(f"{folder}/body.txt", context),
        to=[letter.address],
        headers={
            "Message-ID": delivery.message_id,
            "Auto-Submitted": "auto-generated",
            LINK: f"<{unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    message.attach_alternative(render_to_string(f"{folder}/body.html", context), "text/html")
    return message


def new_connection() -> Any:
    """Return the configured mail backend, not connected yet."""
    # Django 6.1 deprecates get_connection() for mailers, which 5.2 doesn't have.
    mailers = getattr(mail, "mailers", None)
    return mail.get_connection() if mailers is None else mailers.default
