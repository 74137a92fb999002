"""django-pghistory: triggers that write a copy of the row, in the transaction."""

from benchmarks.auditing import Auditing


class This(Auditing):
    """A tracked model."""

    label = "django-pghistory"
    durable = True
    differs = "triggers in PostgreSQL keep whole rows; bulk operations and bare SQL are logged too"
    apps = ("pgtrigger", "pghistory", "benchmarks.audited.by_pghistory")
    log = "by_pghistory_itemevent"

    def make_tables(self) -> None:
        """The tables, and the triggers of the app, which has no migrations to install them."""
        from django.core.management import call_command

        super().make_tables()
        call_command("pgtrigger", "install", verbosity=0)
