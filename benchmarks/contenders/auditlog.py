"""django-auditlog: receivers that write what changed, as JSON, in the transaction."""

from benchmarks.auditing import Auditing


class This(Auditing):
    """A registered model."""

    label = "django-auditlog"
    durable = True
    differs = "an update reads the row first; bulk operations are not logged"
    apps = ("auditlog", "benchmarks.audited.by_auditlog")
    log = "auditlog_logentry"
