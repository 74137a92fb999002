"""When followers were told of an article."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from content.models import Article, Author

AGAIN_AFTER = timedelta(days=1)
"""The time after which an author can have followers told of an article again."""


class Announcement(models.Model):
    """The last time that followers were told of an article.

    The row outlives its article. So an author who deletes articles can't tell of more of them.
    """

    article = models.OneToOneField(
        Article,
        primary_key=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    author = models.ForeignKey(
        Author, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    round = models.PositiveIntegerField(default=1)
    told_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["author", "told_at"], name="announcement_by_author")]

    def __str__(self) -> str:
        return f"Article #{self.article_id}, told {self.round} times"

    @property
    def again_from(self) -> datetime:
        """Return the time from which followers can be told of the article again."""
        return self.told_at + AGAIN_AFTER

    @property
    def is_old(self) -> bool:
        """Return whether followers can be told of the article again, if its author asks for it."""
        return self.again_from <= timezone.now()
