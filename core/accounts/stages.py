"""What stands between a right password and being logged in."""

from allauth.account.stages import EmailVerificationStage
from django.http.response import HttpResponseBase

from .addresses import waits_for_verification


class VerificationStage(EmailVerificationStage):
    """Ask who signed up to verify the address first.

    Other accounts were made by an operator, or before addresses were verified. They can log in, and
    no mail goes to their address.
    """

    def handle(self) -> tuple[HttpResponseBase | None, bool]:
        """Return the page that asks for it, or None, and whether the log-in may go on."""
        user = self.login.user
        if user is not None and not waits_for_verification(user):
            return None, True
        answer: tuple[HttpResponseBase | None, bool] = super().handle()
        return answer
