"""The migrations of the app with the results."""

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_complete() -> None:
    """The models have no change that no migration makes."""
    call_command("makemigrations", "aftercommit_tasks", check=True, dry_run=True, verbosity=0)
