"""On_commit callbacks that no other callback can keep from running."""


class SureCallback:
    """An on_commit callback that the commit hook calls right after COMMIT.

    Django drops the callbacks behind one that raises. The hook takes this one off Django's list
    before Django calls any.
    """

    __slots__ = ()

    def __call__(self) -> None:
        """Do what is to be done once the transaction has committed."""
        raise NotImplementedError
