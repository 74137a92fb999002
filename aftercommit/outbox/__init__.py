"""The request's side of a call, a module for each step of its way.

``task`` (``delay_on_commit``) → ``call`` (on the on_commit list) → ``store`` (one INSERT before
COMMIT) → ``wake`` (a message that carries no data).
"""
