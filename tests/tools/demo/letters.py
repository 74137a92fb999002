"""The one mail that a new user reads: the link in it verifies the address."""

import re
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

VERIFY = "Verify your address"
"""The subject. The site keeps no record of this mail, unlike of those that tell of articles."""


class NoLetterError(Exception):
    """No mail of that kind has arrived."""


def link_for(folder: Path, address: str) -> str:
    """Return the path of the link that was sent to this address."""
    for file in sorted(folder.glob("*.eml")):
        with file.open("rb") as content:
            letter = BytesParser(policy=default).parse(content)
        if letter["X-Envelope-To"] == address and letter["Subject"] == VERIFY:
            return link_in(letter.get_content())
    raise NoLetterError(f"No mail with a link has arrived for {address}.")


def link_in(text: str) -> str:
    """Return the path of the link in the mail's text."""
    found = re.search(r"https?://[^/\s]+(/account/\S+)", text)
    if found is None:
        raise NoLetterError("The mail has no link.")
    return found[1]
