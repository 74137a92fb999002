"""Register the system checks, the defaults for Celery and the worker's sweep."""

from django.apps import AppConfig


class AftercommitConfig(AppConfig):
    """The outbox: durable calls of Celery tasks, in the transaction that makes them."""

    name = "aftercommit"
    verbose_name = "Outbox"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, the defaults, the library's tasks and what a worker begins with.

        Celery shows no passwords from here on.
        """
        from aftercommit import advice, checks  # noqa: F401  # they register themselves
        from aftercommit.contrib.tasks.finder import DjangoTasks
        from aftercommit.defaults import install_defaults
        from aftercommit.outbox import checks as outbox_checks  # noqa: F401  # so do these
        from aftercommit.outbox import setting_checks  # noqa: F401
        from aftercommit.outbox.signatures import extend_signatures
        from aftercommit.outbox.task import add_finder
        from aftercommit.shown_settings import hide_in_settings
        from aftercommit.worker import (  # noqa: F401  # tasks, signals
            connections,
            odd_commands,
            start_checks,
            sweeper,
            tasks,
        )

        install_defaults()
        hide_in_settings()
        extend_signatures()
        add_finder(DjangoTasks())
