"""What the failed log-ins have of a person: from where somebody tried to log in as them."""

from core.forgetting.calls import Arguments, Redactor, register_arguments
from core.forgetting.person import Person
from core.forgetting.places import OwnRows, Rows, register_place

from .models import FailedLogin
from .tasks import record_failed_login


def failed_logins_of(person: Person) -> Rows:
    """Return the failed log-ins with the name or an address of the person."""
    return FailedLogin.objects.filter(user=person.user_id)


def redactor(person: Person) -> Redactor:
    """Return the function that takes the person out of a row that is yet to be written."""

    def redact(kwargs: Arguments) -> Arguments:
        if str(kwargs.get("user_id")) != str(person.user_id):
            return kwargs
        return kwargs | {"user_id": None, "address": "", "user_agent": ""}

    return redact


register_arguments(record_failed_login.name, redactor)
register_place(OwnRows("failed log-ins", ("logins.failedlogin",), failed_logins_of))
