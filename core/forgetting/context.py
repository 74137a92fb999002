"""Whether this code removes a person's data, so that nothing of it is written down anew."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_forgetting: ContextVar[bool] = ContextVar("forgetting", default=False)


@contextmanager
def forgetting() -> Iterator[None]:
    """Have ``is_forgetting()`` return True in the block."""
    token = _forgetting.set(True)
    try:
        yield
    finally:
        _forgetting.reset(token)


def is_forgetting() -> bool:
    """Return whether texts of what is changed or deleted here must not be kept anywhere."""
    return _forgetting.get()
