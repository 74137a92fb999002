"""This project's audit: receivers that hand what changed to its outbox."""

from benchmarks.auditing import Auditing
from benchmarks.delay_on_commit import worker


class This(Auditing):
    """A model with ``AuditableMixin`` that ``AUDIT_MODELS`` names."""

    label = "Aftercommit audit"
    durable = True
    differs = "a worker writes the entry, after the commit; bulk operations are not logged"
    engine = "aftercommit.db.postgresql"
    # The audit log forgets people, and allauth knows their addresses.
    apps = (
        *("aftercommit", "allauth", "allauth.account", "audit"),
        "benchmarks.audited.by_aftercommit",
    )
    settings = {
        "MIDDLEWARE": ["allauth.account.middleware.AccountMiddleware"],  # allauth insists
        "AUDIT_MODELS": {"by_aftercommit.Item": {}},
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,  # as the project's settings say
    }
    log = "audit_auditlog"

    def set_up(self) -> None:
        """The project's Celery application."""
        import celery_app  # noqa: F401

        super().set_up()

    def left(self, kind: str) -> int:
        """The calls that have not become entries."""
        from aftercommit.models import OutboxCall

        return OutboxCall.objects.count()

    def clear(self) -> None:
        """No calls, no wake-ups."""
        from django.core.cache import cache

        from aftercommit.models import OutboxBatch, OutboxCall
        from benchmarks.backlog import truncate

        truncate(OutboxCall, OutboxBatch)
        cache.clear()  # FLUSHDB: the broker's messages too

    def workers(self, processes: int) -> list[list[str]]:
        """One Celery worker."""
        return [worker("celery_app", processes)]
