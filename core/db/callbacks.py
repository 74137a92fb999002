"""On_commit callbacks that no other callback can keep from running."""

from django.db.backends.base.base import BaseDatabaseWrapper


class SureCallback:
    """An on_commit callback that the commit hook calls too, right after COMMIT.

    Django drops the callbacks behind one that raises. This one is called by then; being called
    again by Django must do nothing.
    """

    __slots__ = ()

    def __call__(self) -> None:
        """Do what is to be done once the transaction has committed."""
        raise NotImplementedError


def sure_callbacks(connection: BaseDatabaseWrapper) -> list[SureCallback]:
    """Those on the connection's list."""
    callbacks = [each[1] for each in connection.run_on_commit]
    return [each for each in callbacks if isinstance(each, SureCallback)]
