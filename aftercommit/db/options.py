"""The hook's own options in ``DATABASES[alias]["OPTIONS"]``."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

JOIN_BEGIN = "join_begin"
"""Whether BEGIN goes in the message of a transaction's first statement.

The default is True where that can be: on PostgreSQL, with psycopg 3, unless the server binds the
parameters (``server_side_binding``), OPTIONS name a ``cursor_factory``, or a combined ENGINE has
cursors that aren't derived from Django's. Set it to False for a
proxy or a tracer that takes one statement a message only.
"""


def take_join_begin(params: dict[str, Any], alias: str, possible: bool) -> bool:
    """Take ``join_begin`` out of the connection's parameters, and return what holds.

    Raises ImproperlyConfigured for a value that is no bool, and for True where it can't be.
    """
    value = params.pop(JOIN_BEGIN, possible)
    option = f"Database {alias!r} has {JOIN_BEGIN!r}: {value!r} in its OPTIONS"
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"{option}. Expected True or False.")
    if value and not possible:
        raise ImproperlyConfigured(
            f"{option}, but its BEGIN can't go with another statement. That needs PostgreSQL, "
            "psycopg 3 and a cursor that is Django's or derived from Django's, so neither "
            "'server_side_binding' nor 'cursor_factory' in OPTIONS. Set "
            f"{JOIN_BEGIN!r} to False, or leave it out."
        )
    return value
