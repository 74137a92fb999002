"""The outbox's tables: the calls, the batches that are running, and the workers."""

from django.db import models
from django.db.models.functions import Now


class OutboxCall(models.Model):
    """A call that committed and is not settled: written with its transaction, deleted when done.

    The times are the database's clock's. ``available_at`` is when it is due or, while it runs
    outside a transaction, when its lease ends.
    """

    class Status(models.TextChoices):
        """PENDING is due or waits for its time, RUNNING has a lease, the others need a person."""

        PENDING = "pending"
        RUNNING = "running"
        UNCERTAIN = "uncertain"
        DEAD = "dead"

    task = models.CharField(max_length=255)
    payload = models.TextField(help_text="The arguments, in the JSON of Celery's serializer.")
    context = models.TextField(help_text="The actor, the request's id and the client's address.")
    status = models.CharField(max_length=9, choices=Status, db_default=Status.PENDING)
    created_at = models.DateTimeField(db_default=Now())
    available_at = models.DateTimeField(db_default=Now())
    attempts = models.PositiveIntegerField(db_default=0)
    crashes = models.PositiveIntegerField(
        db_default=0, help_text="How often the process that ran it died."
    )
    crashed_in = models.BigIntegerField(
        null=True, help_text="The batch that the last of these crashes was counted for."
    )
    misfit_since = models.DateTimeField(
        null=True, help_text="Since when it waits for a worker whose function takes its arguments."
    )
    error = models.TextField(
        db_default="", help_text="The traceback of the last attempt that failed."
    )
    failing_since = models.DateTimeField(
        null=True, help_text="When the first of its attempts failed, while it is tried again."
    )
    lease = models.UUIDField(null=True, help_text="Who runs it, or was the last to begin it.")

    class Meta:
        indexes = (
            # The claim reads in this order, so that a deep backlog is never sorted.
            models.Index(
                fields=["task", "available_at", "id"],
                condition=models.Q(status="pending"),
                name="outbox_pending",
            ),
            models.Index(
                fields=["status", "available_at"],
                condition=~models.Q(status="pending"),
                name="outbox_other",
            ),
            # For the health check; calls that have not failed are not in it, and cost nothing.
            models.Index(
                fields=["failing_since"],
                condition=models.Q(failing_since__isnull=False),
                name="outbox_failing",
            ),
        )

    def __str__(self) -> str:
        return f"{self.task} #{self.pk}"


class OutboxBatch(models.Model):
    """The journal of a batch: committed before the batch runs, deleted in its transaction.

    A journal that stays behind, unlocked, names the calls that ran in a process that died. The
    process chooses the journal's id, so that it can delete a journal that it was never told of.
    """

    task = models.CharField(max_length=255)
    calls = models.JSONField(help_text="The ids of its calls.")
    worker = models.CharField(max_length=255, help_text="Host and process id.")
    started_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = (models.Index(fields=["task", "started_at"], name="outbox_batch_task"),)
        verbose_name_plural = "outbox batches"

    def __str__(self) -> str:
        return f"{self.task} in {self.worker}"


class OutboxWorker(models.Model):
    """A worker's heartbeat, written every OUTBOX_SWEEP_INTERVAL seconds, and its tasks.

    The times are the database's clock's. An old ``seen_at`` without ``ended_at`` is that of a
    worker that was killed, that hangs or that can't reach the database.
    """

    name = models.CharField(max_length=255, unique=True, help_text="What Celery calls it.")
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField("process id")
    first_seen_at = models.DateTimeField(
        db_default=Now(), help_text="When the first worker of that name came."
    )
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, help_text="When it shut down, asked to.")
    tasks = models.JSONField(
        null=True, help_text="The tasks that its code has, and the arguments that each takes."
    )

    def __str__(self) -> str:
        return self.name
