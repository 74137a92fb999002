"""Say what to write in settings where an ENGINE has no commit hook."""

from typing import Any

from aftercommit.db.vendors import ENGINES

OWN = "django.db.backends."
"""The beginning of the names of Django's own backends."""

CHOICE = "'aftercommit.db.postgresql', 'aftercommit.db.mysql' or 'aftercommit.db.sqlite3'"


def engine_hint(connection: Any) -> str:
    """Return the line for DATABASES by which the connection's ENGINE gets the commit hook."""
    engine, vendor = connection.settings_dict["ENGINE"], connection.vendor
    if vendor not in ENGINES:
        return (
            f"The outbox can be in PostgreSQL, MySQL, MariaDB and SQLite: set ENGINE to {CHOICE}, "
            "or keep the calls in another database by task.using(alias).delay_on_commit(…)."
        )
    if engine.startswith(OWN):
        return f'Write "ENGINE": "{ENGINES[vendor]}" for this database.'
    return (
        f'Write "ENGINE": combine("{engine}") for this database, and import it: '
        "from aftercommit.db import combine."
    )
