"""Compare what a page shows with what a command wrote."""

import re

ELLIPSIS = "…"
"""Anything, in a line. A line of its own stands for any number of lines."""

VARYING = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?([.,]\d+)?"), "<time>"),
    (re.compile(r"\d+\.\d+"), "<decimal>"),
)
"""What differs from run to run: ids, times, and the figures that are measured."""


def matches(shown: str, written: str) -> bool:
    """Return whether a command can have written what the page shows."""
    pattern = "".join(map(_pattern, _lines(shown)))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(written))) is not None


def _lines(text: str) -> list[str]:
    for varying, name in VARYING:
        text = varying.sub(name, text)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return [line for line in lines if line]


def _pattern(line: str) -> str:
    if line == ELLIPSIS:
        return r"(?:.*\n)*?"
    return re.escape(line).replace(ELLIPSIS, ".*") + r"\n"
