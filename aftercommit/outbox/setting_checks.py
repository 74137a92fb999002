"""System checks of the library's settings."""

import inspect
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from aftercommit.conf import TAG, Conf, conf

EVENTS = ("failures", "all", "none")


@register(TAG)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Return a message for each setting that doesn't exist, and for each impossible value."""
    return [*_unknown_settings(), *_bad_settings()]


def _unknown_settings() -> Iterator[CheckMessage]:
    known = {f"OUTBOX_{field.name}" for field in fields(Conf)}
    given = {name for name in dir(settings) if name.startswith("OUTBOX_")}
    for name in sorted(given - known):
        yield Warning(
            f"There is no setting {name}.",
            hint=f"These are known: {', '.join(sorted(known))}.",
            id="aftercommit.W015",
        )


def _bad_settings() -> Iterator[CheckMessage]:
    if conf().EVENTS not in EVENTS:
        yield Error(
            f"OUTBOX_EVENTS={conf().EVENTS!r} is not one of {', '.join(EVENTS)}.",
            id="aftercommit.E016",
        )
    for name, path in conf().CONTEXT.items():
        try:
            carrier = import_string(path)
        except ImportError as error:
            carrier, why = None, str(error)
        else:
            why = "it has no methods capture() and restore()"
        if not (inspect.isclass(carrier) and {"capture", "restore"} <= set(dir(carrier))):
            yield Error(
                f"OUTBOX_CONTEXT[{name!r}]={path!r} is no carrier: {why}.",
                hint="Name a class such as aftercommit.outbox.carriers.Language.",
                id="aftercommit.E017",
            )
