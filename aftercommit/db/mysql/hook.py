"""The commit hook on MySQL and MariaDB, above any backend whose base is Django's."""

from types import TracebackType
from typing import Any

from django.db import NotSupportedError
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property

from aftercommit.db.hook import ImplicitCommitMixin

# https://dev.mysql.com/doc/refman/8.0/en/innodb-error-handling.html: a deadlock, or no room for
# more locks, rolls the whole transaction back.
ROLLED_BACK = (1213, 1206)


class ErrorWrapper(DatabaseErrorWrapper):
    """Make a transaction that the server has rolled back end as one.

    Statements after it would be a transaction of their own. Where the error was caught without a
    block of its own, they would commit, calls for changes that are no more among them.
    """

    wrapper: Any

    def __init__(self, wrapper: Any, theirs: DatabaseErrorWrapper) -> None:
        super().__init__(wrapper)
        self.theirs = theirs

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        number = exc_value.args[0] if exc_value and exc_value.args else None
        if isinstance(exc_value, self.wrapper.Database.Error) and number in ROLLED_BACK:
            self.wrapper.needs_rollback = self.wrapper.in_atomic_block
        self.theirs.__exit__(exc_type, exc_value, traceback)


class MySQLMixin(ImplicitCommitMixin):
    """A MySQL connection that stores its calls before COMMIT."""

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Return the wrapper that turns the driver's errors into Django's."""
        return ErrorWrapper(self, super().wrap_database_errors)

    def get_connection_params(self) -> dict[str, Any]:
        """Return what to connect with. The password is in UTF-8, as mysqlclient sends it.

        PyMySQL would encode a text as Latin-1, which has few of the characters of passwords.
        """
        connection: Any = self
        params: dict[str, Any] = super().get_connection_params()
        if connection.Database.__name__ == "pymysql" and isinstance(params.get("password"), str):
            params["password"] = params["password"].encode()
        return params

    def check_database_version_supported(self) -> None:
        """Raise NotSupportedError if the server has no JSON_TABLE, no SKIP LOCKED, or no
        expressions as defaults.
        """
        super().check_database_version_supported()
        connection: Any = self
        name, first = ("MariaDB", (10, 6)) if connection.mysql_is_mariadb else ("MySQL", (8, 0, 13))
        version = self.get_database_version()
        if version < first:
            raise NotSupportedError(
                f"The outbox needs {name} {_dotted(first)} or newer (found {_dotted(version)})."
            )

    def init_connection_state(self) -> None:
        """Make the server's clock tell UTC, as the stored times do."""
        super().init_connection_state()
        with self.cursor() as cursor:
            cursor.execute("SET time_zone = '+00:00'")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
