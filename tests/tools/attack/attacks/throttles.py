"""Do a thing more often than a person does."""

from collections.abc import Callable, Iterator
from itertools import count

from httpx import Response

from tests.people import make_user
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

PASSWORD = "a-long-word-for-attacks-7"
MOST = 120
"""Requests of one attack, at most."""
TOO_MANY = 429


def until_refused(ask: Callable[[int], Response], most: int = MOST) -> int:
    """Return how often the site did it before it said 429, or sent the visitor to the log-in."""
    for number in range(most):
        answer = ask(number)
        elsewhere = answer.headers.get("location", "").startswith("/login/")
        if answer.status_code == TOO_MANY or elsewhere:
            return number
    return most


def addresses() -> Iterator[str]:
    """Yield addresses that a client could claim to have."""
    for number in count(1):
        yield f"203.0.113.{number % 250}"


@attack
def passwords(target: Target, tries: Tries) -> None:
    """Guess a user's password, from one address that says it is many."""
    visitor, claimed = target.visitor(address="127.0.0.20"), addresses()

    def guess(number: int) -> Response:
        form = {"login": "author", "password": f"wrong {number}"}
        return visitor.post("/login/", form, None, **{"X-Forwarded-For": next(claimed)})

    allowed = until_refused(guess)
    tries.hold(allowed <= 20, f"{allowed} passwords could be tried.")
    form = {"login": "author", "password": "correct-horse-battery"}
    status = visitor.post("/login/", form).status_code
    tries.hold(status == TOO_MANY, f"The right password is taken while others are not: {status}")


@attack
def passwords_of_the_admin(target: Target, tries: Tries) -> None:
    """Guess a superuser's password at the admin's own page."""
    visitor, claimed = target.visitor(address="127.0.0.21"), addresses()

    def guess(number: int) -> Response:
        form = {"username": "superuser", "password": f"wrong {number}"}
        return visitor.post("/admin/login/", form, None, **{"X-Forwarded-For": next(claimed)})

    allowed = until_refused(guess)
    tries.hold(allowed <= 20, f"{allowed} passwords could be tried.")


@attack
def sign_ups(target: Target, tries: Tries) -> None:
    """Sign up with one address again and again."""
    visitor = target.visitor(address="127.0.0.22")

    def sign_up(number: int) -> Response:
        form = {"username": f"many{number}", "email": "many@mail.example", "password1": PASSWORD}
        answer = visitor.post("/signup/", {**form, "password2": PASSWORD})
        visitor.post("/logout/")
        return answer

    allowed = until_refused(sign_up)
    tries.hold(allowed <= 20, f"{allowed} sign-ups were taken.")


@attack
def resets(target: Target, tries: Tries) -> None:
    """Have a link to another password sent to one user again and again."""
    user, claimed = make_user("flooded"), addresses()
    visitor = target.visitor(address="127.0.0.23")

    def reset(number: int) -> Response:
        headers = {"X-Forwarded-For": next(claimed)}
        return visitor.post("/account/password/reset/", {"email": user.email}, None, **headers)

    allowed = until_refused(reset)
    tries.hold(0 < allowed <= 10, f"{allowed} links were asked for.")
    target.settle()
    got = len(target.mails(to=user.email))
    tries.hold(got == allowed, f"{got} links were sent.")


@attack
def comments(target: Target, tries: Tries) -> None:
    """Comment without an end."""
    path, reader = target.world.path("comment-create"), target.role("reader")
    allowed = until_refused(lambda number: reader.post(path, {"text": f"Comment {number}"}))
    tries.hold(allowed <= 60, f"{allowed} comments were taken.")


@attack
def follows(target: Target, tries: Tries) -> None:
    """Follow and unfollow without an end."""
    path, reader = target.world.path("follow-author"), target.role("reader")
    allowed = until_refused(lambda number: reader.post(path))
    tries.hold(allowed <= 60, f"{allowed} changes were taken.")


@attack
def publications(target: Target, tries: Tries) -> None:
    """Publish without an end, by the form and by the button."""
    author = target.role("author")

    def publish(number: int) -> Response:
        values = {"title": f"Many {number}", "content": "x", "status": "published"}
        return author.post("/articles/new/", values)

    allowed = until_refused(publish)
    tries.hold(allowed <= 60, f"{allowed} articles were published.")
    path = target.world.path("article-publish")
    status = author.post(path).status_code
    tries.hold(status == TOO_MANY, f"The button has a limit of its own: {status}")
