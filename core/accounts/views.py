"""The pages of accounts, where this site's differ from django-allauth's."""

from typing import Any

from allauth.account import views
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse

from .forms import SignupForm
from .models import TAKEN


class Signup(views.SignupView):
    """A form for a new user, who then has a mail with a link."""

    def form_valid(self, form: SignupForm) -> HttpResponse:
        """Make the user, and have the link sent, in one transaction."""
        form.prepare(self.request)
        try:
            with transaction.atomic():
                answer: HttpResponse = super().form_valid(form)
        except IntegrityError:  # somebody took the name since the form looked for it
            form.add_error("username", TAKEN)
            return self.form_invalid(form)
        return answer


class LeaveByPost:
    """A page that logs another user out once its form is sent, and not when it is shown."""

    request: HttpRequest

    def logout(self) -> None:
        """Log out who is logged in, unless the page is only shown."""
        if self.request.method == "POST":
            super().logout()  # type: ignore[misc]


class ConfirmAddress(LeaveByPost, views.ConfirmEmailView):
    """The page of the link that verifies an address."""

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Verify the address, or show what is wrong with the link."""
        try:
            answer: HttpResponse = super().post(*args, **kwargs)
        except Http404:  # it was followed before, or is too old
            answer = self.get(*args, **kwargs)
        return answer


class ResetPassword(LeaveByPost, views.PasswordResetFromKeyView):
    """The page of the link that sets another password."""
