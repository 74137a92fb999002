"""Real brokers and real Celery workers for tests, in containers or as local processes."""
