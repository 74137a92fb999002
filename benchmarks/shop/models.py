"""What is saved, and what the effects write."""

from django.db import models


class Item(models.Model):
    """What a request saves."""

    title = models.CharField(max_length=40)
    text = models.TextField()
    views = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.title


class Log(models.Model):
    """What an audit effect inserts."""

    item_id = models.BigIntegerField()
    action = models.CharField(max_length=20)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.action} {self.item_id}"


class Counter(models.Model):
    """What a counter effect moves."""

    value = models.IntegerField(default=0)

    def __str__(self) -> str:
        return str(self.value)
