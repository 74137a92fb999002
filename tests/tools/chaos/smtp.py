"""A mail server that remembers each message it accepted, and that can be out of order."""

from collections import Counter
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.policy import default
from typing import Any, cast
from weakref import WeakSet

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.tools.demo.letters import VERIFY, link_in

HOST = "127.0.0.1"
TAKES = "takes"
REFUSES, LATER, HANGS_UP = "refuses", "later", "hangs up"
DROPS, FORGETS = "drops", "forgets to say so"


class MailServer:
    """Counts the messages that it accepted by their Message-ID; a context manager.

    ``mood`` is what it does: takes mails, answers 451 (later), breaks the conversation off at its
    begin (hangs up) or at its end, without the message (drops) or with it (forgets to say so).
    """

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        self.links: dict[str, str] = {}
        """The link for each address of a new user."""
        self.mood = TAKES
        self.port = 0
        self._controller: Controller | None = None

    def open(self) -> None:
        """Accept connections, always at the same port."""
        self._controller = _Controller(self, hostname=HOST, port=self.port)
        self._controller.start()
        self.port = self._controller.port

    def close(self) -> None:
        """Refuse connections."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> "MailServer":
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # What aiosmtpd calls, by these names.
    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes the sender, if it is in the mood."""
        if self.mood == LATER:
            return "451 try again later"
        if self.mood == HANGS_UP:
            _hang_up(server)
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Takes the message, and only then says so."""
        if self.mood == DROPS:
            _hang_up(server)
            return "421 hung up"
        self._take(BytesParser(policy=default).parsebytes(cast(bytes, envelope.content)))
        if self.mood == FORGETS:
            _hang_up(server)
        return "250 OK"

    def _take(self, message: Message) -> None:
        if message["Subject"] == VERIFY:
            self.links[message["To"]] = link_in(cast(EmailMessage, message).get_content())
        else:
            self.accepted[str(message["Message-ID"]).strip()] += 1


class _Controller(Controller):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._servers: WeakSet[SMTP] = WeakSet()

    def factory(self) -> SMTP:
        """The server of one connection."""
        server = super().factory()
        self._servers.add(server)
        return server

    def cancel_tasks(self, stop_loop: bool = True) -> None:
        """Stop, once the connections have ended that are open, which aiosmtpd would leave so."""
        self._turns_left = 3  # a connection that was just accepted is open after one or two
        self.loop.call_soon(self._hang_up_and_stop, stop_loop)

    def _hang_up_and_stop(self, stop_loop: bool) -> None:
        cast(Any, self.server).close()
        for server in self._servers:
            if server.transport is not None:
                _hang_up(server)
        self._turns_left -= 1
        if self._turns_left:
            self.loop.call_soon(self._hang_up_and_stop, stop_loop)
        else:
            super().cancel_tasks(stop_loop)

    def _trigger_server(self) -> None:
        # Port 0 let the system choose: from here on it is known which one that is.
        self.port = cast(Any, self.server).sockets[0].getsockname()[1]
        super()._trigger_server()


def _hang_up(server: SMTP) -> None:
    cast(Any, server.transport).abort()
