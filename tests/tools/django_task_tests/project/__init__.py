"""The project that the tests run in: a database, a Celery app and the backends of TASKS."""
