"""Let Django find PyMySQL where mysqlclient isn't installed."""

from importlib.util import find_spec

NAME = "MySQLdb"
"""The module of mysqlclient, which Django imports."""


def is_missing(error: BaseException | None) -> bool:
    """Return whether this error says that mysqlclient isn't installed."""
    return isinstance(error, ImportError) and error.name == NAME


def provide_driver() -> None:
    """Have PyMySQL imported as MySQLdb, unless mysqlclient is there, which is the faster one."""
    if find_spec(NAME) is None:
        import pymysql

        pymysql.install_as_MySQLdb()
