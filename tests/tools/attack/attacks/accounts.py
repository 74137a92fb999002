"""Take another user's account, or learn who has one."""

import re
from collections.abc import Callable
from statistics import median

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from httpx import Response

from tests.factories import PASSWORD
from tests.people import make_user
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.tools.attack.visitor import Visitor

RESET = "/account/password/reset/"
OTHER = "another-long-word-8"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="\w+"')
ASKED = 5
"""How often a time is measured. The log-in's own limit allows no more."""


def shown(answer: Response, *names: str) -> tuple[int, str, str]:
    """Return what a visitor sees, without the names that were typed in and the token."""
    text = TOKEN.sub("", answer.text)
    for name in names:
        text = text.replace(name, "…")
    return answer.status_code, answer.headers.get("location", ""), text


@attack
def who_has_one(target: Target, tries: Tries) -> None:
    """Learn by the pages whether a name or an address has an account."""
    make_user("known")
    pairs = {
        "reset": [
            target.visitor().post(RESET, {"email": f"{name}@example.com"})
            for name in ("known", "nobody")
        ],
        "log-in": [
            target.visitor().post("/login/", {"login": name, "password": "wrong"})
            for name in ("known", "nobody")
        ],
        "log-in by address": [
            target.visitor().post("/login/", {"login": f"{name}@example.com", "password": "wrong"})
            for name in ("known", "nobody")
        ],
        "sign-up": [
            sign_up(target.visitor(), f"new{number}", f"{name}@example.com")
            for number, name in enumerate(("known", "nobody"))
        ],
    }
    for what, (known, unknown) in pairs.items():
        same = shown(known, "known", "new0") == shown(unknown, "nobody", "new1")
        asked = known.status_code != 429
        tries.hold(asked and same, f"{what}: {known.status_code}, {unknown.status_code} differ.")


def sign_up(visitor: Visitor, name: str, email: str) -> Response:
    """Return the answer to a sign-up."""
    form = {"username": name, "email": email, "password1": OTHER, "password2": OTHER}
    return visitor.post("/signup/", form)


@attack
def by_time(target: Target, tries: Tries) -> None:
    """Learn by the time of an answer whether a name or an address has an account."""
    make_user("timed")
    for number in range(ASKED):
        make_user(f"timed{number}")

    def log_in(name: str, number: int) -> Response:
        visitor = target.visitor(address=f"127.0.4.{number + 1}")
        return visitor.post("/login/", {"login": name, "password": f"wrong {number}"})

    def reset(name: str, number: int) -> Response:
        return target.visitor().post(RESET, {"email": f"{name}{number}@example.com"})

    for what, ask in (("log-in", log_in), ("reset", reset)):
        known, unknown = (measure(ask, name) for name in ("timed", "untimed"))
        ratio = known / unknown
        tries.hold(0.3 < ratio < 3, f"{what}: known ones take {ratio:.1f} times as long.")


def measure(ask: Callable[[str, int], Response], name: str) -> float:
    """Return the median of the seconds that the answers about a name take."""
    answers = [ask(name, number) for number in range(ASKED)]
    return median(answer.elapsed.total_seconds() for answer in answers)


@attack
def other_sessions(target: Target, tries: Tries) -> None:
    """Stay logged in after the user has changed the password."""
    make_user("changing")
    thief, owner = (target.visitor() for _ in range(2))
    for visitor in (thief, owner):
        visitor.post("/login/", {"login": "changing", "password": PASSWORD})
        tries.hold(visitor.is_logged_in, "The log-in itself failed.")
    form = {"oldpassword": PASSWORD, "password1": OTHER, "password2": OTHER}
    owner.post("/account/password/", form)
    tries.hold(not thief.is_logged_in, "The thief is still logged in.")
    tries.hold(owner.is_logged_in, "The owner is not.")


@attack
def address_of_another(target: Target, tries: Tries) -> None:
    """Have another user's address, or one that nobody has verified, as one's own."""
    victim = make_user("address-victim")
    visitor = target.new_user("address-thief")
    visitor.post("/login/", {"login": "address-thief", "password": PASSWORD})
    for email in (victim.email, victim.email.upper(), "unverified@mail.example"):
        visitor.post("/account/address/", {"action_add": "", "email": email})
        mine = EmailAddress.objects.filter(user__username="address-thief", verified=True)
        addresses = [each.email for each in mine]
        tries.hold(addresses == ["address-thief@example.com"], f"They have {addresses}.")


@attack
def names(target: Target, tries: Tries) -> None:
    """Take a name that looks like another user's, or like a path."""
    make_user("paypal")
    taken = (".", "..", "a/b", "PAYPAL", "p\u0430ypal", "paypa1", "-x", "1x", "a\u200bb", "a b", "")
    for number, name in enumerate(taken):
        before = User.objects.count()
        sign_up(target.visitor(address="127.0.0.31"), name, f"name{number}@mail.example")
        tries.hold(User.objects.count() == before, f"The name {name!r} was taken.")
    sign_up(target.visitor(address="127.0.0.31"), "plain-name", "plain@mail.example")
    tries.hold(User.objects.filter(username="plain-name").exists(), "No name at all is taken.")
