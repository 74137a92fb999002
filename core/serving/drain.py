"""The last seconds before the port closes: this server serves, and sends balancers elsewhere."""

import mmap

_begun = mmap.mmap(-1, 1)
"""A byte that this process shares with those that it forks later: whether the time has begun."""


def begin() -> None:
    """Have the balancers' probe of all processes say from now on that this server stops."""
    _begun[0] = 1


def has_begun() -> bool:
    """Return whether this server stops soon."""
    return bool(_begun[0])
