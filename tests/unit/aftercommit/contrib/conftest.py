"""The tests of tasks need Django 6, or the package django-tasks of requirements/dev.txt."""

from importlib.util import find_spec

HAS_TASKS = find_spec("django.tasks") or find_spec("django_tasks")

collect_ignore = [] if HAS_TASKS else ["tasks"]
