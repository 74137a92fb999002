"""What is wrong with the settings, in one line: a traceback would bury it."""

import sys
from collections.abc import Iterator
from types import TracebackType

from django.core.exceptions import ImproperlyConfigured

SETTINGS = "core.settings"


def tell_in_one_line() -> None:
    """Have an ImproperlyConfigured from the settings printed without its traceback.

    Errors from anywhere else are printed as they were before.
    """
    earlier = sys.excepthook

    def tell(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, ImproperlyConfigured) and SETTINGS in modules(traceback):
            sys.stderr.write(f"{error}\n")
        else:
            earlier(kind, error, traceback)

    sys.excepthook = tell


def modules(traceback: TracebackType | None) -> Iterator[str]:
    """Yield the names of the modules that the error has passed."""
    while traceback:
        yield str(traceback.tb_frame.f_globals.get("__name__"))
        traceback = traceback.tb_next
