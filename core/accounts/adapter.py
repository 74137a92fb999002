"""What this site does otherwise than django-allauth."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.core import context
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme

from core.front.throttle import count

from . import tasks
from .addresses import lock_rows, validate_plain, verified_address
from .models import Name
from .names import validate_name

WRONG = "There is no account with this name or address and this password."
"""Tells nobody which of them is wrong."""

NOT_KNOWN = "::"
"""Stands for a client whose address is not known, as behind a Unix socket."""


def tell_before(address: EmailAddress, before: str | None) -> None:
    """Have the verified address from before told that the account has another one."""
    if before and before != address.email:
        tasks.send_address_changed.delay_on_commit(user_id=address.user_id, address=before)


class AccountAdapter(DefaultAccountAdapter):
    """The rules for names and addresses, and mails as effects of the transaction.

    A mail's task gets ids, and makes the link when it sends the mail. So nobody who reads the
    outbox, Flower or a log can follow a link of another's account. One task gets an address: that
    which an account no longer has.
    """

    error_messages = DefaultAccountAdapter.error_messages | {
        f"{method}_password_mismatch": WRONG for method in ("username", "email")
    }

    # --- Rules ------------------------------------------------------------------------------
    def clean_username(self, username: str, shallow: bool = False) -> str:
        """Return the name. Raises ValidationError if it is no name, or not free."""
        validate_name(username)
        if not shallow:
            Name.objects.validate_free(username)
        return username

    def clean_email(self, email: str) -> str:
        """Return the address. Raises ValidationError."""
        validate_plain(email)
        return email

    def is_safe_url(self, url: str | None) -> bool:
        """Return whether a page may lead on to the URL: one of the same host alone."""
        request = context.request
        return url_has_allowed_host_and_scheme(
            url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
        )

    def get_login_stages(self) -> list[str]:
        """Return what comes after the password."""
        return ["core.accounts.stages.VerificationStage"]

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client's address, as ``ClientAddressMiddleware`` found it."""
        return request.META.get("REMOTE_ADDR") or NOT_KNOWN

    def should_send_confirmation_mail(
        self, request: HttpRequest, email_address: EmailAddress, signup: bool
    ) -> bool:
        """Return whether the link may be sent again to who can't log in without it.

        Nobody can have an address flooded with links. A form that asks for a mail is counted by
        ``ThrottleMiddleware``.
        """
        return signup or count("reset", {"name": email_address.email}) is None

    # --- Effects ----------------------------------------------------------------------------
    def send_confirmation_mail(
        self, request: HttpRequest, emailconfirmation: Any, signup: bool
    ) -> None:
        """Have the link for the address sent to it."""
        tasks.send_verification.delay_on_commit(address_id=emailconfirmation.email_address.pk)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Make the address the account's verified one. Return False if it is another's.

        Raises Http404 if it was taken back after the page had found it.
        """
        try:
            with transaction.atomic():
                if email_address.pk not in lock_rows(email_address.email):
                    raise Http404("The address was taken back.")
                before = verified_address(email_address.user)
                confirmed: bool = super().confirm_email(request, email_address)
                if confirmed:
                    tell_before(email_address, before)
        except IntegrityError:  # another account verified it since it was looked for
            confirmed = False
            template = "account/messages/email_confirmation_failed.txt"
            self.add_message(request, messages.ERROR, template, {"email": email_address.email})
        return confirmed

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Change the password, and tell the user's address."""
        user.set_password(password)  # slow, so before the transaction
        with transaction.atomic():
            user.save(update_fields=["password"])  # another request may change the address
            tasks.send_password_changed.delay_on_commit(user_id=user.pk)

    # --- Pages ------------------------------------------------------------------------------
    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        """Say to whom no mail can be sent that it is so."""
        if verified_address(user) is None:
            text = "We send you no mail, because your address is not verified. See “Account”."
            messages.warning(request, text)
        answer: HttpResponse = super().post_login(request, user, **kwargs)
        return answer
