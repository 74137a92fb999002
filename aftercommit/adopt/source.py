"""A file of Python: its text, its tree, and the lines on which a person silenced the findings."""

import ast
import re
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import decode_source
from pathlib import Path

from aftercommit.adopt.files import module_names

LARGEST = 2_000_000
"""The most bytes of a file that is read. A longer one was written by a program."""

SILENCED = re.compile(r"#\s*aftercommit:\s*ok\b")
"""The comment by which a person says that a place is right as it is."""


class UnreadableError(Exception):
    """The file is no Python that can be read."""


@dataclass(frozen=True)
class Source:
    """The text of a file, and the names under which it is imported."""

    path: Path
    text: str = field(repr=False)
    modules: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Return the shortest name of the module."""
        return self.modules[0]

    @cached_property
    def lines(self) -> list[str]:
        """Return the lines, as Python counts them."""
        return self.text.split("\n")

    def line(self, number: int) -> str:
        """Return the line of this number, from 1, without the space around it."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def is_silenced(self, first: int, last: int) -> bool:
        """Return whether a comment on these lines, or on a line of its own above, silences them."""
        above = self.line(first - 1)
        lines = [self.line(number) for number in range(first, last + 1)]
        return any(map(SILENCED.search, lines)) or bool(SILENCED.match(above))


def read_source(path: Path) -> Source:
    """Return the file's text. Raise UnreadableError with the reason if there is none."""
    try:
        if path.stat().st_size > LARGEST:
            raise UnreadableError(f"it has more than {LARGEST:,} bytes")
        return Source(path, decode_source(path.read_bytes()), module_names(path))
    except (OSError, SyntaxError, UnicodeError, LookupError) as error:
        raise UnreadableError(_in_a_line(error)) from error


def parse(source: Source) -> ast.Module:
    """Return the tree of the text. Raise UnreadableError with the reason if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the text's own escapes
            return ast.parse(source.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError(_in_a_line(error)) from error


def _in_a_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
