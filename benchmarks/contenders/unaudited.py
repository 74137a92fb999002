"""The operations with no audit at all: the floor of those that audit."""

from benchmarks.auditing import Auditing


class This(Auditing):
    """The operations alone."""

    label = "no audit"
    apps = ("benchmarks.audited.by_nothing",)
