"""The tasks that send mails about accounts. Each asks again whether its mail is still right."""

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from celery import shared_task
from django.contrib.auth.models import User

from . import mails
from .addresses import verified_address

# A mail that goes out twice does no harm. With Celery's backoff 20 retries take about an hour.
SENDING: dict[str, Any] = {"atomic": False, "reject_on_worker_lost": True, "max_retries": 20}


@shared_task(**SENDING)
def send_verification(address_id: int) -> None:
    """Send the link with which its reader verifies the address.

    If it is verified for another account, its owner is told of the attempt instead.
    """
    address = EmailAddress.objects.filter(pk=address_id, verified=False).first()
    if address is None or not address.user.is_active:
        return
    owner = EmailAddress.objects.filter(email=address.email, verified=True).first()
    if owner is not None:
        send_already_exists(address_id=owner.pk)
        return
    key = EmailConfirmationHMAC(address).key
    mails.send("verify", address.email, link=mails.link("account_confirm_email", key=key))


@shared_task(**SENDING)
def send_already_exists(address_id: int) -> None:
    """Tell the owner of a verified address that somebody wants to use it for another account."""
    address = EmailAddress.objects.filter(pk=address_id, verified=True).first()
    if address is not None and (to := verified_address(address.user)):
        reset = mails.link("account_reset_password")
        mails.send("already_exists", to, name=address.user.username, reset=reset)


@shared_task(**SENDING)
def send_password_reset(user_id: int) -> None:
    """Send the link with which the user sets another password."""
    user = User.objects.filter(pk=user_id).first()
    if user is not None and (to := verified_address(user)):
        uid, key = user_pk_to_url_str(user), default_token_generator.make_token(user)
        link = mails.link("account_reset_password_from_key", uidb36=uid, key=key)
        mails.send("password_reset", to, name=user.username, link=link)


@shared_task(**SENDING)
def send_password_changed(user_id: int) -> None:
    """Tell the user that the password was changed."""
    user = User.objects.filter(pk=user_id).first()
    if user is not None and (to := verified_address(user)):
        reset = mails.link("account_reset_password")
        mails.send("password_changed", to, name=user.username, reset=reset)


@shared_task(**SENDING)
def send_address_changed(user_id: int, address: str) -> None:
    """Tell the verified address from before that the account has another one now."""
    user = User.objects.filter(pk=user_id).first()
    if user is not None and user.is_active and address:
        mails.send("address_changed", address, name=user.username)
