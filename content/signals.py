"""The events of the domain that other apps may act on."""

from django.dispatch import Signal

article_published = Signal()
"""An article became published. It is sent in the transaction of that.

Arguments: ``sender=Article``, ``article``, ``using``, and ``again``, which says whether the author
asks to have followers told once more.
"""

article_viewed = Signal()
"""A reader opened a published article. ``sender=Article``, ``article``, ``request``."""
