"""Durable calls of Celery tasks: stored with the transaction, run by workers, each effect once."""
