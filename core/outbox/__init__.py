"""Durable calls of Celery tasks, a file for each step of a call's way.

``task`` (delay_on_commit) → ``call`` (on the on_commit list) → ``store`` (one INSERT before
COMMIT) → ``wake`` (a message that carries no data) → ``drain`` (``claim``, run, ``settle``; or
``lease`` for outside effects). ``sweep`` finds what no wake-up reached; ``conf`` has the settings.
"""
