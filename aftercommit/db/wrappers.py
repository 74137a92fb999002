"""Mix the commit hook into the DatabaseWrapper of an ENGINE of somebody else's."""

from importlib import import_module
from types import new_class
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from aftercommit.db.engines import COMBINED
from aftercommit.db.mysql.driver import is_missing, provide_driver
from aftercommit.db.vendors import ENGINES


def combined_wrapper(engine: str) -> type[BaseDatabaseWrapper]:
    """Return the ENGINE's DatabaseWrapper with the commit hook above it.

    All that the class has stays: ``ops_class``, ``features_class``, its cursors and its own
    methods. A class that has the hook is returned as it is. Raises ImproperlyConfigured if there is
    no such class, or if the outbox doesn't know its database.
    """
    theirs = _load(engine)
    if getattr(theirs, "has_outbox", False):
        return theirs
    bases = (_mixin(engine, theirs), theirs)
    names = {"__module__": f"{COMBINED}{engine}.base", "__doc__": f"{engine} with the commit hook."}
    return new_class(theirs.__name__, bases, exec_body=lambda body: body.update(names))


def _load(engine: str) -> type[BaseDatabaseWrapper]:
    """Return the ENGINE's class as Django would find it."""
    wrapper = getattr(_import(engine), "DatabaseWrapper", None)
    if isinstance(wrapper, type) and issubclass(wrapper, BaseDatabaseWrapper):
        return wrapper
    raise ImproperlyConfigured(
        f"combine({engine!r}): the module {engine}.base has no class DatabaseWrapper that is a "
        f"backend of Django's (found {wrapper!r}). Give combine() the name that ENGINE would have."
    )


def _import(engine: str) -> Any:
    try:
        return _import_with_driver(engine)
    except (ImportError, AttributeError) as error:
        cause = error
    except ImproperlyConfigured as error:
        if not isinstance(error.__cause__, ImportError):
            raise  # the backend says itself what it lacks
        cause = error.__cause__
    raise ImproperlyConfigured(
        f"combine({engine!r}): {engine}.base can't be imported ({cause}). Expected the dotted name "
        "that ENGINE would have without the outbox: an installed package with a module 'base'."
    ) from cause


def _import_with_driver(engine: str) -> Any:
    """Import the backend. If it needs MySQLdb and that isn't here, let it have PyMySQL."""
    try:
        return load_backend(engine)
    except ImproperlyConfigured as error:
        if not is_missing(error.__cause__):
            raise
    provide_driver()
    return load_backend(engine)


def _mixin(engine: str, theirs: type[BaseDatabaseWrapper]) -> type[BaseDatabaseWrapper]:
    """Return the hook for the class's database. Raises ImproperlyConfigured if there is none."""
    if theirs.vendor not in ENGINES:
        raise ImproperlyConfigured(
            f"combine({engine!r}): its vendor is {theirs.vendor!r}. The outbox can be in "
            "PostgreSQL, MySQL, MariaDB and SQLite. Leave this ENGINE as it is, and make calls in "
            "another database: task.using(alias).delay_on_commit(…)."
        )
    ours: Any = import_module(f"{ENGINES[theirs.vendor]}.base").DatabaseWrapper
    mixin, standard = ours.__bases__
    if not issubclass(theirs, standard):
        raise ImproperlyConfigured(
            f"combine({engine!r}): its DatabaseWrapper doesn't derive from {standard.__module__}."
            f"{standard.__name__}, on which the commit hook relies. Use "
            f"{ENGINES[theirs.vendor]!r}, or a backend that derives from Django's."
        )
    return mixin  # type: ignore[no-any-return]
