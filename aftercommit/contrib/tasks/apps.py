"""The app that keeps the results of Django's tasks."""

from django.apps import AppConfig


class TaskResultsConfig(AppConfig):
    """Optional: a table of results, its page in the admin, and the deletion of old results."""

    name = "aftercommit.contrib.tasks"
    label = "aftercommit_tasks"
    verbose_name = "Task results"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have each worker delete results whose retention is over."""
        from aftercommit.contrib.tasks.retention import delete_old_results
        from aftercommit.worker.sweeper import also_recover

        also_recover(delete_old_results)
