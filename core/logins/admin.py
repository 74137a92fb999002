"""The failed log-ins in the admin, to be read, filtered and searched."""

from django.contrib import admin

from aftercommit.operations.model_admin import ReadOnlyAdmin

from .models import FailedLogin


@admin.register(FailedLogin)
class FailedLoginAdmin(ReadOnlyAdmin):
    """Who could not log in, from where. A user with the permission to view them may read it."""

    list_display = ("at", "tried", "address", "page", "user_agent")
    list_filter = ("at", "page")
    list_select_related = ("user",)
    search_fields = ("=user__username", "=unknown", "=address")
    search_help_text = "User's name, code of an unknown name, address"
    date_hierarchy = "at"
    show_full_result_count = False
    fields = ("at", "user", "unknown", "address", "user_agent", "page")

    @admin.display(description="as", ordering="user")
    def tried(self, failed: FailedLogin) -> str:
        """Return the name of the user, or the code of a name that no user has."""
        return failed.user.get_username() if failed.user else f"unknown ({failed.unknown})"
