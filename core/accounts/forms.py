"""The forms of accounts, where this site's differ from django-allauth's."""

from typing import Any

from allauth.account import forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.account.utils import filter_users_by_email
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from . import tasks
from .addresses import verified_addresses
from .models import Name
from .names import validate_name

NOBODY = 0
"""The key of no user."""


class SignupForm(forms.SignupForm):
    """A new user with an unverified address."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        self.fields["username"].help_text = "Letters, digits, _ and -, with a letter first."
        self.fields["email"].help_text = "We send you a link to verify it, before any other mail."

    def validate_unique_email(self, value: str) -> str:
        """Remember whether the address is an account's, which nobody is told but its owner.

        An unverified one is no account's: somebody else may have typed it.
        """
        self.account_already_exists = EmailAddress.objects.is_verified(value)
        return value

    def prepare(self, request: HttpRequest) -> None:
        """Hash the password, also if there will be no user: else the time would tell of one."""
        adapter = get_adapter()
        user: Any = adapter.save_user(request, adapter.new_user(request), self, commit=False)
        self.user = user

    def save(self, request: HttpRequest) -> User:
        """Save the user that was prepared, with the address."""
        self.user.save()
        EmailAddress.objects.create(user=self.user, email=self.user.email, primary=True)
        return self.user


class LoginForm(forms.LoginForm):
    """A name or an address, and a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "Name or address"

    def user_credentials(self) -> dict[str, str]:
        """Return an address as an address alone if it is somebody's.

        As a name too, it would cost a second hash, and the time would tell of the account.
        """
        credentials: dict[str, str] = super().user_credentials()
        if "email" in credentials and filter_users_by_email(credentials["email"]):
            credentials.pop("username", None)
        return credentials


class AddEmailForm(forms.AddEmailForm):
    """Another address, which is the account's once it is verified."""

    def save(self, request: HttpRequest) -> EmailAddress:
        """Save the address and the call that has the link sent, in one transaction."""
        try:
            with transaction.atomic():
                address: EmailAddress = super().save(request)
        except IntegrityError:  # the same form was sent twice
            user: Any = self.user
            address = EmailAddress.objects.get(user=user, email=self.cleaned_data["email"])
        return address


class ResetPasswordForm(forms.ResetPasswordForm):
    """An address. If it is a verified one, a link goes there."""

    def clean_email(self) -> str:
        """Return the address."""
        return get_adapter().clean_email(self.cleaned_data["email"].lower())

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Have the link sent to whose address it is.

        If it is nobody's, a call is made all the same: else the time would tell.
        """
        email: str = self.cleaned_data["email"]
        rows = EmailAddress.objects.filter(email=email, verified=True)
        for user_id in verified_addresses(rows.values_list("user", flat=True)) or [NOBODY]:
            tasks.send_password_reset.delay_on_commit(user_id=user_id)
        return email


class NameRules:
    """The rules for names in a form of Django's admin. A user from before keeps the name."""

    instance: User
    cleaned_data: dict[str, Any]

    def clean_username(self) -> str:
        """Return the name. Raises ValidationError."""
        name: str = self.cleaned_data["username"]
        if name != self.instance.username:
            validate_name(name)
            Name.objects.validate_free(name, self.instance.pk)
        return name
