"""Name an ENGINE of somebody else's with the commit hook. Settings call this while they load."""

import sys
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

from django.core.exceptions import ImproperlyConfigured

COMBINED = "aftercommit.db.combined."
"""The beginning of a combined ENGINE's name. Behind it stands the whole name of the other ENGINE,
because some packages look for their own name in ENGINE."""

OURS = "aftercommit.db."


def combine(engine: str) -> str:
    """Return the name of an ENGINE that is ``engine`` with the commit hook.

    Write ``"ENGINE": combine("django.contrib.gis.db.backends.postgis")`` in DATABASES. The backend
    is imported when Django connects, because it can need settings. An ENGINE of the outbox's own
    is returned as it is. Raises ImproperlyConfigured if ``engine`` is no dotted name.
    """
    if not _is_dotted_name(engine):
        raise ImproperlyConfigured(
            f"combine() was given {engine!r}. Expected the dotted name that ENGINE would have "
            "without the outbox. Write combine('django.contrib.gis.db.backends.postgis'), say."
        )
    if engine.startswith(OURS):
        return engine
    name = f"{COMBINED}{engine}"
    # Django imports an ENGINE's module "base", and Python looks here before it looks for a file.
    sys.modules.setdefault(f"{name}.base", CombinedModule(f"{name}.base", engine))
    return name


class CombinedModule(ModuleType):
    """The module in which Django looks for the DatabaseWrapper of a combined ENGINE."""

    def __init__(self, name: str, engine: str) -> None:
        super().__init__(name, f"{engine} with the commit hook.")
        self.engine = engine

    @cached_property
    def DatabaseWrapper(self) -> Any:  # Django's name for it
        """Return the other ENGINE's class with the commit hook mixed in."""
        return import_module("aftercommit.db.wrappers").combined_wrapper(self.engine)


def _is_dotted_name(engine: object) -> bool:
    return isinstance(engine, str) and all(part.isidentifier() for part in engine.split("."))
