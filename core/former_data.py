"""Refuse a database that an earlier version of this project made."""

FORMER_TABLE = "core_outboxcall"
"""The name that the table of calls had while the library was a part of this project."""


def refusal(database: str, sqlite_file: str = "") -> str:
    """Return the sentence about such a database, and about what to do."""
    remedy = (
        f"Move its file away: mkdir before && mv {sqlite_file}* before/"
        if sqlite_file
        else "Create a new database, and name it in DATABASE_URL."
    )
    return (
        f"The database {database} was made by an earlier version of this project (it has the table "
        f"{FORMER_TABLE}), and this version can't take its data over. {remedy}"
    )
