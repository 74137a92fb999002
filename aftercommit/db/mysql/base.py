"""Django's MySQL backend with the commit hook, also for MariaDB.

Set ``"ENGINE": "aftercommit.db.mysql"``.
"""

from types import TracebackType
from typing import Any

try:
    import MySQLdb  # noqa: F401  # mysqlclient, if somebody has installed it: it is the faster one
except ImportError:
    import pymysql

    pymysql.install_as_MySQLdb()

from django.db.backends.mysql import base, features
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from aftercommit.db.hook import ImplicitCommitMixin

# https://dev.mysql.com/doc/refman/8.0/en/innodb-error-handling.html: a deadlock, or no room for
# more locks, rolls the whole transaction back.
ROLLED_BACK = (1213, 1206)


class ErrorWrapper(DatabaseErrorWrapper):
    """Makes a transaction that the server has rolled back end as one.

    Statements after it would be a transaction of their own. Where the error was caught without a
    block of its own, they would commit, calls for changes that are no more among them.
    """

    wrapper: Any

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        number = exc_value.args[0] if exc_value and exc_value.args else None
        if isinstance(exc_value, self.wrapper.Database.Error) and number in ROLLED_BACK:
            self.wrapper.needs_rollback = self.wrapper.in_atomic_block
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseFeatures(features.DatabaseFeatures):
    """What the server can do; Django refuses one that is too old."""

    @cached_property
    def minimum_database_version(self) -> tuple[int, ...]:  # type: ignore[override]
        """The first version that has JSON_TABLE, SKIP LOCKED and expressions as defaults."""
        first = (10, 6) if self.connection.mysql_is_mariadb else (8, 0, 13)
        return max(super().minimum_database_version, first)


class DatabaseWrapper(ImplicitCommitMixin, base.DatabaseWrapper):
    """A MySQL connection that stores its calls before COMMIT."""

    features_class = DatabaseFeatures

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Return the wrapper that turns the driver's errors into Django's."""
        return ErrorWrapper(self)

    def init_connection_state(self) -> None:
        """Make the server's clock tell UTC, as the stored times do."""
        super().init_connection_state()
        with self.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")
