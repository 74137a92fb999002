"""A worker whose pool soon replaces a process that died; a worker imports it (``--include``).

Celery looks for dead processes when the pipe of one closes, a moment before the kernel has ended
it, and then every five seconds. No test is about those seconds.
"""

from celery.concurrency.asynpool import AsynPool

EVERY = 0.2

AsynPool.timers = property(lambda pool: {pool.maintain_pool: EVERY})  # type: ignore[assignment, method-assign]
