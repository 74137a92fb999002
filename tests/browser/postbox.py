"""The mails that somebody has got."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from core.stack.waiting import wait_until

PATIENCE = 60


class Postbox:
    """The mails that the site has sent, as the mail catcher keeps them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def wait_for(self, address: str, subject: str) -> EmailMessage:
        """Return the newest mail to the address with these words in its subject."""
        wait_until(
            lambda: bool(self.mails(address, subject)), PATIENCE, f"a mail {subject!r} to {address}"
        )
        return self.mails(address, subject)[-1]

    def mails(self, address: str, subject: str = "") -> list[EmailMessage]:
        """Return the mails to the address with these words in their subjects."""
        files = sorted(self._folder.glob("*.eml"))
        mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [
            mail
            for mail in mails
            if address in mail["X-Envelope-To"] and subject in str(mail["Subject"])
        ]


def link_in(mail: EmailMessage, path: str) -> str:
    """Return the link in the mail's text whose path begins so."""
    body = mail.get_body(("plain",))
    assert body is not None
    (link,) = set(re.findall(rf"http://[^/\s]+{path}\S*", body.get_content()))
    return str(link)


def one_click_link(mail: EmailMessage) -> str:
    """Return the link that a mail program sends its POST to (RFC 8058)."""
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    (link,) = re.findall(r"<(http[^>]+)>", str(mail["List-Unsubscribe"]))
    return str(link)
