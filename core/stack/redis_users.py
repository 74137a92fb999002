"""Who may do what in our Redis: the site all but administration, and Flower what it needs."""

from hashlib import sha256

FLOWER = "flower"

SITE_RULES = "~* &* +@all -@admin"
"""Without administration nobody can have the server write files, or load code."""

FLOWER_RULES = (
    # The events of workers, and the remote control of workers with its answers.
    "~_kombu.binding*.celeryev ~_kombu.binding*.celery.pidbox ~_kombu.binding_deadlines "
    "~*.reply.celery.pidbox* ~flower.* &/0.celeryev/* &/0.celery.pidbox "
    "+@all -@admin -@dangerous "
    # The lengths of all queues.
    "(~* -@all +llen)"
)
"""Flower can neither send tasks nor read messages or the cache. It can control workers."""


def user_lines(password: str, flower_password: str = "") -> list[str]:
    """Return the lines of an ACL file, or of a configuration file, with hashes of the passwords.

    The site is the user ``default``, since clients without a user's name log in as that one.
    """
    lines = [f"user default reset on {_hash(password)} {SITE_RULES}"]
    if flower_password:
        lines.append(f"user {FLOWER} reset on {_hash(flower_password)} {FLOWER_RULES}")
    return lines


def _hash(password: str) -> str:
    return f"#{sha256(password.encode()).hexdigest()}"
