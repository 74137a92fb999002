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
"""The next ids of the process ``owner``. Read both from this module at each use."""

owner = os.getpid()
"""The process that ``sequence`` belongs to. A process that was forked from it must begin anew.

``os.register_at_fork`` would not do: uWSGI forks its processes without telling Python.
"""


def begin_anew() -> "count[int]":
    """Give this process, which was forked, other ids than its parent has. Return them."""
    global sequence, owner
    sequence, owner = _begin(), os.getpid()
    return sequence


def new_id() -> int:
    """Return an id for a new row, of a call or of a batch's journal."""
    return next(sequence if os.getpid() == owner else begin_anew())
