"""The mails about accounts: each is made when it is sent, with links that begin with SITE_URL."""

import logging
import smtplib
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

logger = logging.getLogger(__name__)


def link(name: str, **arguments: str) -> str:
    """Return the address of the page as a mail has it."""
    return settings.SITE_URL.rstrip("/") + reverse(name, kwargs=arguments)


def send(kind: str, address: str, **context: Any) -> None:
    """Send the mail of this kind. A server that refuses it for good ends it with a warning.

    Raises what smtplib raises if the mail may go later.
    """
    try:
        build(kind, address, context).send()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
        if not is_final(error):
            raise
        logger.warning("The mail server refused a mail (%s): %s.", kind, type(error).__name__)


def build(kind: str, address: str, context: dict[str, Any]) -> EmailMessage:
    """Return the mail."""
    text = {"site": settings.SITE_URL.rstrip("/"), "log_in": link("account_login"), **context}
    subject, _, body = render_to_string(f"account/mail/{kind}.txt", text).partition("\n")
    headers = {"Auto-Submitted": "auto-generated"}
    return EmailMessage(subject, body.strip() + "\n", to=[address], headers=headers)


def is_final(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) -> bool:
    """Return whether the server will never take the mail."""
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code >= 500
    return min(code for code, _ in error.recipients.values()) >= 500
