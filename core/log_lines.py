"""Lines of the log that nobody else can write into: not a colour, not a line of their own."""

import logging
from copy import copy

from aftercommit.printable import escape_controls


class LineFormatter(logging.Formatter):
    """A formatter whose records begin at the margin, and whose further lines are indented.

    Titles, names and addresses are in messages. What a terminal would obey is escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines. A refusal has no traceback, which anybody could ask for."""
        if is_refusal(record):
            record = copy(record)  # others read it too
            record.exc_info = record.exc_text = None
        return escape_controls(super().format(record)).replace("\n", "\n    ")


def is_refusal(record: logging.LogRecord) -> bool:
    """Return whether Django says that it refused a request. The reason is in the message."""
    status: int = getattr(record, "status_code", 500)
    return record.name.startswith("django.security") or (
        record.name == "django.request" and status < 500
    )
