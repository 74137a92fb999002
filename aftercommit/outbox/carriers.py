"""The values that travel with a call: its context, and those that OUTBOX_CONTEXT adds."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache
from typing import Any, Protocol

from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils import translation
from django.utils.module_loading import import_string

from aftercommit.conf import conf
from aftercommit.context import Context, current

logger = logging.getLogger(__name__)


class Carrier(Protocol):
    """A class that takes a value from where a call is made to where the call runs.

    Both methods may raise. Then the call isn't made, or has failed: without its value it could have
    the effect of another tenant.
    """

    def capture(self) -> Any:
        """Return the value, of JSON's types, for a call that is made here, or None for no value."""

    def restore(self, value: Any) -> AbstractContextManager[Any]:
        """Return a block in which the value holds."""


class Language:
    """The language that Django's translations are in."""

    def capture(self) -> str | None:
        """Return the code of the active language."""
        return translation.get_language()

    def restore(self, value: str) -> AbstractContextManager[Any]:
        """Return a block in which the language is active."""
        return translation.override(value)


class Carriers:
    """The carriers that ``OUTBOX_CONTEXT`` names, made when they are first used."""

    in_use: bool
    """False if there are no carriers. A request without carriers asks for nothing else."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Read the setting again, at the next use."""
        self._carriers: dict[str, Carrier] | None = None
        self.in_use = True

    def capture(self) -> dict[str, Any]:
        """Return what the carriers take along from here, by their names."""
        values = {name: carrier.capture() for name, carrier in self._get().items()}
        return {name: value for name, value in values.items() if value is not None}

    @contextmanager
    def restored(self, values: Mapping[str, Any]) -> Iterator[None]:
        """Have what was taken along hold in the block."""
        with ExitStack() as stack:
            for name, value in (values or {}).items():
                if name in self._get():
                    stack.enter_context(self._get()[name].restore(value))
                else:
                    logger.warning("A call has %r with it, which OUTBOX_CONTEXT doesn't name", name)
            yield

    def _get(self) -> dict[str, Carrier]:
        if self._carriers is None:
            names = conf().CONTEXT
            self._carriers = {name: import_string(path)() for name, path in names.items()}
            self.in_use = bool(names)
        return self._carriers


carriers = Carriers()


def encode_context(context: Context | None = None) -> str:
    """Return ``context``, or that of the code that runs now, as stored.

    The values that carriers take along stand behind it.
    """
    if carriers.in_use and (carried := carriers.capture()):
        return json.dumps([*(context or current()), carried])
    return _encode(context or current())


@lru_cache(maxsize=64)  # the calls of a request share one context
def _encode(context: Context) -> str:
    return json.dumps(context)


@receiver(setting_changed)
def setting_changed_read_again(setting: str, **kwargs: Any) -> None:
    """Read the setting again after a test has changed it."""
    if setting == "OUTBOX_CONTEXT":
        carriers.reset()
