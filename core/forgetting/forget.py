"""Forget a person: close the account, remove what there is of them, delete the user.

Each piece is a transaction of its own. Who is interrupted, and begins again, finishes.
"""

from collections import Counter
from collections.abc import Iterable

from core.forgetting.closing import close_account, finish
from core.forgetting.owned import learn_rows
from core.forgetting.person import Person
from core.forgetting.places import AnyPlace, Stage, places

ROUNDS = 5
"""How often calls and logs are looked through again, while others still write of the person."""


class StillWritten(Exception):
    """Others write of the person at this moment. Begin again."""


def count_places(person: Person) -> dict[str, int]:
    """Return how many rows of each place have something of the person. Change nothing."""
    learn_rows(person)
    return {place.name: place.count(person) for place in places()}


def forget(person: Person) -> Counter[str]:
    """Forget the person. Return how many rows of each place had something of them.

    Raises LastSuperuser, and then nothing was changed. Raises StillWritten if others write of the
    person again and again.
    """
    close_account(person.user_id)
    learn_rows(person)
    done: Counter[str] = Counter()
    # The log first: what it says of rows is known as the person's while the rows are there.
    _clear(places(Stage.LOG), person, done)
    _clear(places(Stage.DATA), person, done)
    for _ in range(ROUNDS):
        if not _clear(places(Stage.CALLS, Stage.LOG), person, done):
            finish(person)
            return +done
    raise StillWritten


def _clear(which: Iterable[AnyPlace], person: Person, done: Counter[str]) -> int:
    """Remove the person from these places, and count the rows. Return their number."""
    found = Counter({place.name: sum(place.remove(person)) for place in which})
    done.update(found)
    return found.total()
