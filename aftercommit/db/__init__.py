"""The commit hook, and what one database does differently.

Settings import ``combine`` from here, so nothing here imports what needs settings.
"""

from aftercommit.db.engines import combine as combine

__all__ = ["combine"]
