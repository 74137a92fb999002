"""Ids that a process gives to new rows without asking the database."""

import os
from itertools import count
from secrets import randbits


def _begin() -> "count[int]":
    """Return the numbers from a random one of 62 bits on.

    So an id is known before its row is written, and the calls of a transaction keep their order.
    Among a hundred processes that make a million calls each, two have an id in common at one of
    half a billion sites.
    """
    return count(randbits(62))


sequence = _begin()
"""This process's next ids. Read it from this module at each use, because a fork replaces it."""


def new_id() -> int:
    """Return an id for a new row, of a call or of a batch's journal."""
    return next(sequence)


def _begin_anew() -> None:
    """Have a process that was forked give other ids than its parent."""
    global sequence
    sequence = _begin()


os.register_at_fork(after_in_child=_begin_anew)
