"""What the accounts have of a person: the name, and an address in a call that is yet to run."""

from core.forgetting.calls import Arguments, Redactor, register_arguments
from core.forgetting.person import Person
from core.forgetting.places import OwnRows, Rows, register_place

from .models import Name
from .tasks import send_address_changed


def names_of(person: Person) -> Rows:
    """Return the name that nobody else could have."""
    return Name.objects.filter(user=person.user_id)


def redactor(person: Person) -> Redactor:
    """Return the function that takes the person's address out of a call. Nobody is told then."""

    def redact(kwargs: Arguments) -> Arguments:
        is_theirs = str(kwargs.get("user_id")) == str(person.user_id)
        return kwargs | {"address": ""} if is_theirs else kwargs

    return redact


register_arguments(send_address_changed.name, redactor)
register_place(OwnRows("names", ("accounts.name",), names_of))
