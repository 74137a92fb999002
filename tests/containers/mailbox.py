"""The mails that have arrived, by the API of Mailpit."""

from typing import NamedTuple

import httpx

from core.stack.waiting import wait_until
from tests.tools.demo.letters import VERIFY, link_in


class Mail(NamedTuple):
    """A mail for somebody."""

    number: str
    message_id: str
    to: str
    subject: str


class Mailbox:
    """All mails, whoever they are for."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10, trust_env=False)

    def mails(self) -> list[Mail]:
        """Return all mails."""
        found = self._client.get("/api/v1/messages", params={"limit": 100000}).json()["messages"]
        return [
            Mail(each["ID"], each["MessageID"], each["To"][0]["Address"], each["Subject"])
            for each in found
        ]

    def text(self, mail: Mail) -> str:
        """Return the text of the mail."""
        return str(self._client.get(f"/api/v1/message/{mail.number}").json()["Text"])

    def wait_for(self, to: str, subject: str, seconds: float = 60) -> Mail:
        """Return the mail to the address with these words as subject. Raises TimeoutError."""

        def look() -> list[Mail]:
            return [each for each in self.mails() if each.to == to and subject in each.subject]

        return wait_until(look, seconds, f"a mail to {to} about {subject!r}", every=0.1)[0]

    def verification(self, to: str) -> str:
        """Return the path of the link that verifies the address."""
        return link_in(self.text(self.wait_for(to, VERIFY)))
