"""Another site sends a user's browser here."""

import re
from collections.abc import Iterator

from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.tools.attack.visitor import TOKEN
from tests.unit.core.test_roles import stored

ROLES = ("anonymous", "reader", "author", "superuser")
EXEMPT = {"live", "ready", "unsubscribe"}
"""Two change nothing. The third has a signed token of its own, in the address."""
REFUSED = (403, 404, 405)


def paths(target: Target) -> Iterator[str]:
    """Yield a path of each address that could change something."""
    for name in sorted({*target.paths} - EXEMPT):
        yield target.paths[name]


@attack
def without_a_token(target: Target, tries: Tries) -> None:
    """Send a form without a token to every address, as each of four roles."""
    before = stored()
    for role in ROLES:
        visitor = target.role(role)
        for path in paths(target):
            status = visitor.bare_post(path).status_code
            tries.hold(status in REFUSED, f"POST {path} by {role}: {status}")
    tries.hold(stored() == before, "A row was changed without a token.")


@attack
def from_another_site(target: Target, tries: Tries) -> None:
    """Send a form with a token and another site's Origin or Referer."""
    before, author = stored(), target.role("author")
    for path in paths(target):
        for origin in ("https://evil.example", "null", f"{target.config.site_url}.evil.example"):
            status = author.post(path, Origin=origin).status_code
            tries.hold(status in REFUSED, f"POST {path} with Origin {origin}: {status}")
    tries.hold(stored() == before, "A row was changed from another site.")


@attack
def with_another_token(target: Target, tries: Tries) -> None:
    """Send a token that is not the cookie's."""
    path = target.world.path("article-publish of a draft")
    for token in (
        "b" * 32,
        "",
        "a" * 31,
        "a" * 33,
        "b" * 32 + TOKEN,
        "\x00" * 32,
        f"{TOKEN}, {TOKEN}",
    ):
        status = target.role("author").bare_post(path, {"csrfmiddlewaretoken": token}).status_code
        tries.hold(status in (400, *REFUSED), f"POST {path} with the token {token!r}: {status}")


@attack
def by_get(target: Target, tries: Tries) -> None:
    """Visit every address by GET, as a picture on another site does."""
    before = without_views()
    for path in paths(target):
        status = target.role("author").get(path).status_code
        tries.hold(status < 500, f"GET {path}: {status}")
    target.settle()
    tries.hold(without_views() == before, "A row was changed by GET.")


def without_views() -> str:
    """Return the rows that pages change, without the one number that a GET is meant to change."""
    return re.sub(r'"view_count": \d+', "", stored())
