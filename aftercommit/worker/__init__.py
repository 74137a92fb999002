"""Run calls in a worker: everything between a wake-up and a call's end.

``tasks`` has the task that a wake-up starts, which drains one task: ``drain`` → ``task_drain``. The
calls are settled by ``atomic_calls`` (a batch in one transaction), ``statement_calls`` (a batch by
one statement) or ``outside_calls`` (one by one, under a lease). ``sweep`` finds due calls that no
wake-up came for, and ``crashes`` the calls of a process that died.
"""
