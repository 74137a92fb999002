"""Get or keep another user's session."""

import secrets

from tests.factories import PASSWORD
from tests.people import make_user
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.tools.attack.visitor import Visitor


def log_in(visitor: Visitor, name: str, password: str = PASSWORD) -> int:
    """Log in by the form, and return the status."""
    return visitor.post("/login/", {"login": name, "password": password}).status_code


@attack
def guessed(target: Target, tries: Tries) -> None:
    """Guess a session, or write something else where its name stands."""
    guesses = ["", "x", "'", "\x7f", "../../etc/passwd", "0" * 5000, "a" * 32]
    guesses += [secrets.token_hex(16) for _ in range(50)]
    for guess in guesses:
        visitor = target.visitor()
        visitor.set_cookie("sessionid", guess)
        status = visitor.get("/profile/").status_code
        tries.hold(status in (302, 400), f"The session {guess[:40]!r}: {status}")


@attack
def fixed(target: Target, tries: Tries) -> None:
    """Give a victim a session that is known before the log-in."""
    make_user("fixed")
    visitor = target.visitor()
    visitor.set_cookie("sessionid", "f" * 32)
    status = log_in(visitor, "fixed")
    tries.hold(status == 302 and visitor.is_logged_in, f"The log-in itself failed: {status}")
    tries.hold(visitor.session != "f" * 32, "The session was not renewed at the log-in.")


@attack
def kept(target: Target, tries: Tries) -> None:
    """Use a copied session after its user logged out."""
    make_user("leaving")
    visitor, thief = target.visitor(), target.visitor()
    log_in(visitor, "leaving")
    thief.set_cookie("sessionid", visitor.session)
    tries.hold(thief.is_logged_in, "The copied session was of no use from the beginning.")
    visitor.post("/logout/")
    tries.hold(not thief.is_logged_in, "The session lived on after the log-out.")


@attack
def by_script(target: Target, tries: Tries) -> None:
    """Read the session's cookie by a script, or have it sent by another site's form."""
    make_user("cookie")
    visitor = target.visitor()
    answer = visitor.post("/login/", {"login": "cookie", "password": PASSWORD})
    cookies = [each for each in answer.headers.get_list("set-cookie") if "sessionid" in each]
    tries.hold(len(cookies) == 1, f"The log-in set {cookies}.")
    for cookie in cookies:
        for flag in ("HttpOnly", "SameSite=Lax"):
            tries.hold(flag in cookie, f"A cookie without {flag}: {cookie}")
