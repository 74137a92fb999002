"""Hide the passwords of URLs in what people get to see: logs, pages, replies of workers."""

import re

MASK = "**"
"""The text in the place of a password, as in kombu's banners."""

# A raw "/", "#", "@" or space in a password breaks a URL, and is to be hidden all the same. So the
# password ends at the last "@" of the line. Digits before "/" are the port of a URL without one.
_LOGIN = re.compile(r"(://[^\s/?#:@\[]*:)(?!\d{1,5}(?:[/?#\s]|$))(?:(?!://).)+@")
_QUERY = re.compile(r"([?&][\w.-]*(?:pass|passwd|password|pwd|secret|token)=)[^&#\s'\"]+", re.I)


def hide_url_passwords(text: str) -> str:
    """Return the text with ``**`` in the place of each password that a URL in it has."""
    if "://" not in text:
        return text
    return _QUERY.sub(rf"\1{MASK}", _LOGIN.sub(rf"\1{MASK}@", text))
