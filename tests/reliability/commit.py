"""A short-lived process: commits one call and exits at once."""

import django

if __name__ == "__main__":
    django.setup()

    from django.db import transaction

    from tests.reliability import points, tasks  # noqa: F401  # stops where the environment says

    with transaction.atomic():
        tasks.write_one.delay_on_commit(name="a")
