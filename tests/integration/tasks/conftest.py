"""These tests need Django 6, or the package django-tasks of requirements/dev.txt."""

from tests.unit.aftercommit.contrib.conftest import HAS_TASKS

collect_ignore_glob = [] if HAS_TASKS else ["test_*.py"]
