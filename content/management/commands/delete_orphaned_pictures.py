"""``manage.py delete_orphaned_pictures``: deletes the files that no profile shows."""

from typing import Any

from django.core.management.base import BaseCommand

from content.stored_pictures import MIN_AGE, delete_orphans


class Command(BaseCommand):
    """Deletes files of pictures that no profile shows, such as those of a request that failed."""

    help = f"Delete uploaded pictures that no profile shows and that are older than {MIN_AGE}."

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete them, and say how many they were."""
        self.stdout.write(f"Deleted {delete_orphans()} pictures that no profile shows.")
