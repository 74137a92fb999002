"""Lines of the log that nobody else can write into: not a colour, not a line of their own."""

import logging

from aftercommit.printable import escape_controls


class LineFormatter(logging.Formatter):
    """A formatter whose records begin at the margin, and whose further lines are indented.

    Titles, names and addresses are in messages. What a terminal would obey is escaped.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines."""
        return escape_controls(super().format(record)).replace("\n", "\n    ")
