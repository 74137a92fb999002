"""The forms of accounts, where this site's differ from django-allauth's."""

from typing import Any

from allauth.account import forms
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.account.utils import filter_users_by_email
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.forms import Form
from django.http import HttpRequest

from . import tasks
from .addresses import verified_addresses
from .models import Name
from .names import validate_name

NOBODY = 0
"""The key of no user."""


def leave_out_placeholders(form: Form) -> None:
    """Leave out the texts in empty fields. They repeat the labels, and call a name a username."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)


class SignupForm(forms.SignupForm):
    """A new user with an unverified address."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        self.fields["username"].help_text = "Letters, digits, _ and -, with a letter first."
        self.fields["email"].help_text = "We send you a link to verify it, before any other mail."
        leave_out_placeholders(self)

    def validate_unique_email(self, value: str) -> str:
        """Return the address, also if it is another account's.

        The user is made then, too. Nobody can verify the address for this user, and the mail to it
        tells its owner of the attempt. If no user were made, the name would still be free, and that
        would tell everybody of the account.
        """
        return value

    def prepare(self, request: HttpRequest) -> None:
        """Hash the password, before there is a transaction: it is slow."""
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
        leave_out_placeholders(self)

    def user_credentials(self) -> dict[str, str]:
        """Return a name, or an address that is one user's.

        An address is no name too then: that would cost a second hash, and the time would tell of
        the account. If many signed up with an address, and nobody verified it, it is nobody's: each
        of them would cost a hash.
        """
        credentials: dict[str, str] = super().user_credentials()
        email = credentials.get("email")
        users = filter_users_by_email(email, prefer_verified=True) if email else []
        if users:
            credentials.pop("username", None)
        if len(users) > 1:
            credentials.pop("email")
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
