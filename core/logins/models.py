"""The record of log-ins that failed."""

from django.conf import settings
from django.db import models


class FailedLogin(models.Model):
    """One log-in that failed: when, as whom, and from where. It has nothing that was typed.

    Who types a password into the field for the name would find it here otherwise.
    """

    at = models.DateTimeField("time", db_index=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The user of the name or mail address that was tried, if there is one.",
    )
    unknown = models.CharField(
        "unknown name",
        max_length=16,
        blank=True,
        help_text="Tells one name that no user has from another, and doesn't tell the name.",
    )
    address = models.CharField(max_length=64, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    page = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = "failed log-in"
        verbose_name_plural = "failed log-ins"
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"Failed log-in of {self.at:%Y-%m-%d %H:%M:%S}"
