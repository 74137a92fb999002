"""Have a call fail that raises what is no Exception, such as asyncio.CancelledError."""

from collections.abc import Iterator
from contextlib import contextmanager

ENDS = (SystemExit, KeyboardInterrupt, GeneratorExit)
"""What ends a process or a generator, and is no outcome of a call."""


class Interrupted(Exception):
    """The function raised what is no Exception. The call has failed."""


@contextmanager
def as_exceptions(name: str) -> Iterator[None]:
    """Raise Interrupted for what the block raises that is no Exception and ends no process.

    Celery lets it end the process. Where it ends a thread or a greenlet alone, nobody would say how
    the call ended.
    """
    try:
        yield
    except (Exception, *ENDS):
        raise
    except BaseException as error:
        raise Interrupted(f"{name} raised {type(error).__name__}, which is no Exception") from error
