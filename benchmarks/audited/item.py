"""What all the audited items have: the columns of the shop's own."""

from django.db import models


class AbstractItem(models.Model):
    """An item that is yet to be audited."""

    title = models.CharField(max_length=40)
    text = models.TextField()
    views = models.IntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.title
