"""Run calls in a worker: everything between a wake-up and a call's end.

``tasks`` (the task that a wake-up starts) → ``drain`` → ``claim`` → ``runner`` → ``settle``. Calls
with outside effects have a ``lease``. ``sweep`` finds due calls that no wake-up came for, and
``crashes`` the calls of a process that died.
"""
