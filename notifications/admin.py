"""Follows and deliveries in the admin. Operators change deliveries by operations alone."""

from django.contrib import admin

from aftercommit.operations.model_admin import OperatedAdmin

from .models import Announcement, Delivery, Follow, Mute
from .operations import CANCEL, MARK_SENT, SEND_AGAIN


@admin.register(Follow)
class FollowAdmin(admin.ModelAdmin):
    """The follows: a user, and an author or a category."""

    list_display = ["user", "author", "category", "created_at"]
    list_select_related = ["user", "author__user", "category"]
    search_fields = ["user__username", "author__user__username", "category__name"]
    autocomplete_fields = ["user", "author", "category"]


@admin.register(Mute)
class MuteAdmin(admin.ModelAdmin):
    """The kinds of mail that users switched off."""

    list_display = ["user", "kind"]
    list_filter = ["kind"]
    list_select_related = ["user"]
    search_fields = ["user__username"]
    autocomplete_fields = ["user"]


@admin.register(Announcement)
class AnnouncementAdmin(OperatedAdmin):
    """The articles that followers were told of, and when."""

    list_display = ["article_id", "author_id", "round", "told_at"]
    search_fields = ["=article_id", "=author_id"]
    date_hierarchy = "told_at"
    show_full_result_count = False
    fields = ["article_id", "author_id", "round", "told_at"]


@admin.register(Delivery)
class DeliveryAdmin(OperatedAdmin):
    """Every mail: to whom, about what, and what became of it."""

    list_display = ["created_at", "kind", "address", "status", "attempts", "sent_at", "short_error"]
    list_filter = ["status", "kind", "created_at"]
    search_fields = ["address", "=message_id", "recipient__username", "error"]
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = [
        "kind",
        "recipient",
        "address",
        "article_id",
        "comment_id",
        "number_of_comments",
        "status",
        "attempts",
        "error",
        "message_id",
        "key",
        "created_at",
        "sent_at",
    ]
    operations = {"send_again": SEND_AGAIN, "mark_sent": MARK_SENT, "cancel": CANCEL}

    @admin.display(description="comments")
    def number_of_comments(self, delivery: Delivery) -> int:
        """Return how many comments the mail tells of, those that are gone by now included."""
        return delivery.gathered.count()

    @admin.display(description="error")
    def short_error(self, delivery: Delivery) -> str:
        """Return the start of the error or of the reason."""
        error = delivery.error
        return error if len(error) <= 80 else f"{error[:79]}…"
