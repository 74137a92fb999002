"""The events of the domain that other apps may act on."""

from django.dispatch import Signal

article_published = Signal()
"""An article became published. ``sender=Article``, ``article``, ``using``; in its transaction."""

article_viewed = Signal()
"""A reader opened a published article. ``sender=Article``, ``article``, ``request``."""
