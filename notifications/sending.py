"""Send one delivery once, or not at all, or record that nobody can know.

Each status is a short write of its own. No transaction is open while a mail server is asked:

    pending ─── begun ───> sending ──> sent
       │  <── sure that it didn't go ──┤
       │                               ├──> failed      the server refused it for good
       └──> skipped: no longer wanted  └──> unconfirmed the server didn't say: it may have gone
       └──> limited: its recipient has had too many

A person decides what becomes of a failed or an unconfirmed delivery (``operations.py``). It is
pending again, sent or cancelled. A pending delivery can be cancelled too.

Each attempt asks anew whether the mail is wanted, and to which address it goes (``asking.py``).
The delivery is begun after that, and after everything else that can fail without a mail going out,
such as templates and the connection. So "sending" covers only the few milliseconds in which the
server gets the mail.
"""

import logging
import smtplib
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.utils import timezone

from .asking import Letter, Unwanted, ask
from .mail import build_message, new_connection
from .models import Delivery

logger = logging.getLogger(__name__)

Status = Delivery.Status

INTERRUPTED = "The worker ended while it sent this. Whether the mail went out can't be known."
BROKEN_OFF = "The connection broke before the server confirmed the mail. It may have gone out."


def send(delivery: Delivery) -> None:
    """Send the mail, unless the delivery is settled. Raises an error that is worth another try."""
    before = delivery.status
    if before not in (Status.PENDING, Status.SENDING):
        return
    if before == Status.SENDING and not resends_unconfirmed():
        delivery.move(before, to=Status.UNCONFIRMED, error=INTERRUPTED)
        return
    try:
        letter = ask(delivery)
    except Unwanted as reason:
        _settle_unwanted(delivery, reason)
    else:
        _connect_and_send(delivery, letter)


def resends_unconfirmed() -> bool:
    """Return whether a mail that may have gone out is sent again."""
    return getattr(settings, "NOTIFICATIONS_RESEND_UNCONFIRMED", False)


def is_refusal(error: Exception) -> bool:
    """Return whether the server refused this recipient or this message for good (a 5xx reply).

    A refused sender or login is no such refusal. The site's configuration is wrong then, and the
    mail can go once it is right.
    """
    refused = isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError)
    return refused and (_reply_code(error) or 0) >= 500


def _settle_unwanted(delivery: Delivery, reason: Unwanted) -> None:
    """Record why the mail isn't sent. One that was begun before may have gone out."""
    if delivery.status == Status.SENDING:
        delivery.move(Status.SENDING, to=Status.UNCONFIRMED, error=INTERRUPTED)
    elif delivery.move(Status.PENDING, to=reason.status, error=str(reason)):
        logger.info("Delivery #%s is %s. %s", delivery.pk, reason.status, reason)


def _connect_and_send(delivery: Delivery, letter: Letter) -> None:
    connection = new_connection()
    try:
        message = _prepare(delivery, letter, connection)
        begun = {"address": letter.address, "attempts": F("attempts") + 1}
        if delivery.move(delivery.status, to=Status.SENDING, **begun):
            _converse(delivery, connection, message)
    finally:
        connection.close()


def _prepare(delivery: Delivery, letter: Letter, connection: Any) -> EmailMessage:
    """Return the message, with the connection open. Records and raises what went wrong."""
    try:
        message = build_message(delivery, letter)
        connection.open()
    except Exception as error:
        # Whatever it was, this attempt sent nothing. So the status stays as it is.
        before = delivery.status
        delivery.move(before, to=before, error=_text(error), attempts=F("attempts") + 1)
        raise
    return message


def _converse(delivery: Delivery, connection: Any, message: EmailMessage) -> None:
    try:
        connection.send_messages([message])
    except Exception as error:
        if _settle_failure(delivery, error, connection):
            return
        raise
    # Another worker writes "unconfirmed" if this one took longer than its lease, and an operator
    # can have changed that since. Neither knew that the mail has gone out, so "sent" replaces both.
    before = (Status.SENDING, Status.UNCONFIRMED, Status.PENDING, Status.CANCELLED)
    delivery.move(*before, to=Status.SENT, sent_at=timezone.now(), error="")


def _settle_failure(delivery: Delivery, error: Exception, connection: Any) -> bool:
    """Record the failure. Return whether the delivery is settled with it."""
    if is_refusal(error):
        # This replaces "unconfirmed" too, as in _converse: now it is known.
        before = (Status.SENDING, Status.UNCONFIRMED)
        delivery.move(*before, to=Status.FAILED, error=_text(error))
    elif _may_have_gone(error, connection) and not resends_unconfirmed():
        text = f"{BROKEN_OFF} {_text(error)}"
        delivery.move(Status.SENDING, to=Status.UNCONFIRMED, error=text)
    else:
        delivery.move(Status.SENDING, to=Status.PENDING, error=_text(error))
        return False
    return True


def _may_have_gone(error: Exception, connection: Any) -> bool:
    # A reply settles it. Without a reply it depends on whether the server got the whole mail. Only
    # the project's own backend says so.
    return _reply_code(error) is None and getattr(connection, "handed_over", True)


def _reply_code(error: Exception) -> int | None:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return min(code for code, _ in error.recipients.values())
    return error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
