"""A mail server on this machine that tests hold real SMTP conversations with."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.test import override_settings

BACKEND = "notifications.smtp.EmailBackend"

HANG_UP = ""
"""Given to ``answer``: break the connection off instead of answering."""


class MailServer:
    """An SMTP server on a free port of 127.0.0.1, in a thread of its own.

    ``with MailServer() as server:`` starts and stops it. ``messages`` has what it accepted, and
    ``received`` has the same as bytes.
    """

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.received: list[bytes] = []
        self.conversations = 0
        self._answers: dict[str, list[str]] = defaultdict(list)
        self._controller = _Controller(self, hostname="127.0.0.1", port=0)

    def __enter__(self) -> "MailServer":
        self._controller.start()
        self.conversations = 0  # the controller's own, to see whether it runs
        return self

    def __exit__(self, *error: object) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._controller.port

    def answer(self, command: str, reply: str, times: int = 1) -> None:
        """Give this reply to the next EHLO, MAIL, RCPT or DATA: "550 no such user", ``HANG_UP``.

        To DATA the answer comes when the server has the whole message.
        """
        self._answers[command] += [reply] * times

    def recover(self) -> None:
        """Give no more of the replies that ``answer`` was told of."""
        self._answers.clear()

    def sent_to(self, address: str) -> list[EmailMessage]:
        """The messages to this address, in their order."""
        return [message for message in self.messages if message["To"] == address]

    # What aiosmtpd calls, by these names.
    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        """Greets."""
        self.conversations += 1
        session.host_name = hostname
        reply = self._next("EHLO", server)
        return replies if reply is None else [reply]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes the sender."""
        reply = self._next("MAIL", server)
        if reply is None:
            envelope.mail_from = address
        return reply or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient."""
        reply = self._next("RCPT", server)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Takes the message."""
        reply = self._next("DATA", server)
        if reply is None:
            content = cast(bytes, envelope.content)
            self.received.append(content)
            self.messages.append(message_from_bytes(content, policy=policy.default))
        return reply or "250 OK"

    def _next(self, command: str, server: SMTP) -> str | None:
        if not self._answers[command]:
            return None
        reply = self._answers[command].pop(0)
        if reply == HANG_UP:
            cast(Any, server.transport).abort()
        return reply or "421 hung up"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        # Port 0 let the system choose: from here on it is known which one that is.
        self.port = cast(Any, self.server).sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_goes_to(port: int, **options: Any) -> Iterator[None]:
    """Have Django's mail go to this port of 127.0.0.1, in the block.

    ``options`` are more of the SMTP backend's, such as ``use_tls=True``.
    """
    # No test waits for this limit, and a machine that stands still for a while must not reach it.
    options = {"host": "127.0.0.1", "port": port, "timeout": 60, **options}
    overrides: dict[str, Any] = {f"EMAIL_{name.upper()}": value for name, value in options.items()}
    overrides["EMAIL_BACKEND"] = BACKEND
    if hasattr(settings, "MAILERS"):  # Django 6.1's way, which excludes the other
        overrides = {"MAILERS": {"default": {"BACKEND": BACKEND, "OPTIONS": options}}}
    with override_settings(**overrides):
        yield


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A mail server that Django's mail goes to."""
    with MailServer() as server, mail_goes_to(server.port):
        yield server
