"""Users and their addresses in Django's admin, whose log-in is the site's own."""

from allauth.account.admin import EmailAddressAdmin
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import User
from django.forms import ModelForm
from django.http import HttpRequest

from .forms import NameRules

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.unregister(User)
admin.site.unregister(EmailAddress)


class NewUserForm(NameRules, AdminUserCreationForm):
    """A new user."""


class UserForm(NameRules, UserChangeForm):
    """A user as the admin changes one."""


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Users. An address that is changed here is not verified."""

    add_form = NewUserForm
    form = UserForm


@admin.register(EmailAddress)
class AddressAdmin(EmailAddressAdmin):
    """Addresses, and which of them are verified. The primary one is the user's."""

    def save_model(
        self, request: HttpRequest, obj: EmailAddress, form: ModelForm, change: bool
    ) -> None:
        """Save the address, and write a primary one to the user."""
        super().save_model(request, obj, form, change)
        if obj.primary and obj.user.email.lower() != obj.email:
            obj.user.email = obj.email
            obj.user.save(update_fields=["email"])
