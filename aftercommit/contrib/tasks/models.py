"""The results of Django's tasks: written in the transaction of their effect."""

from django.db import models
from django.db.models.functions import Now


class TaskRecord(models.Model):
    """A task's result so far. A task that has not failed or ended yet is in the outbox alone.

    What can hold any text is stored as JSON in ASCII, which every database takes.
    """

    class Status(models.TextChoices):
        """READY is a task that failed and is tried again."""

        READY = "READY"
        FAILED = "FAILED"
        SUCCESSFUL = "SUCCESSFUL"

    id = models.CharField(primary_key=True, max_length=64, help_text="The id of the call.")
    task = models.CharField(max_length=255)
    backend = models.CharField(max_length=255, help_text="The backend's alias in TASKS.")
    status = models.CharField(max_length=10, choices=Status)
    payload = models.TextField(help_text="The arguments: positional ones, and those with names.")
    return_value = models.TextField(default="null")
    errors = models.TextField(default="[]", help_text="For each failure, its class and traceback.")
    worker_ids = models.TextField(default="[]", help_text="The workers, one for each attempt.")
    enqueued_at = models.DateTimeField(null=True)
    run_after = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    last_attempted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    stored_at = models.DateTimeField(
        db_default=Now(), help_text="By the database's clock. The retention counts from here."
    )

    class Meta:
        indexes = (models.Index(fields=["backend", "stored_at"], name="outbox_task_record"),)

    def __str__(self) -> str:
        return f"{self.task} #{self.pk}"
