"""django-simple-history: receivers that write a copy of the row, in the transaction."""

from benchmarks.auditing import Auditing


class This(Auditing):
    """A model with ``HistoricalRecords``."""

    label = "django-simple-history"
    durable = True
    differs = "keeps whole rows, also of saves that change nothing; bulk operations are not logged"
    apps = ("simple_history", "benchmarks.audited.by_simple_history")
    log = "by_simple_history_historicalitem"
