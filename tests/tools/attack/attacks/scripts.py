"""Have a script run in another user's browser."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from django.contrib.auth.models import User

from content.models import Article, Author, Category, Comment, Product, Profile
from notifications.models import Follow
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries
from tests.unit.core.visits import QUERIES

MARK = "zqx"
PAYLOAD = f"</title></textarea></script>'\"><script {MARK}>x</script><img {MARK} onerror=x>"
PROBES = ("/healthz", "/servez", "/readyz")
READERS = ("anonymous", "reader", "author", "superuser")
SINGLE_QUOTED = re.compile(rf"<(script|img)\s+{MARK}", re.IGNORECASE)


class Tags(HTMLParser):
    """The tags of a page that run something which stands in the page itself."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        data = (given.get("type") or "").endswith("json")
        if tag == "script" and "src" not in given and not data:
            self.found.append("<script>")
        if tag == "style":
            self.found.append("<style>")
        self.found += [f"<{tag} {name}>" for name in given if name.startswith("on")]
        self.found += [f"<{tag} {name}={value}>" for name, value in attrs if is_code(value)]


def is_code(value: str | None) -> bool:
    """Return whether a link runs a script."""
    return (value or "").strip().lower().startswith(("javascript:", "vbscript:", "data:text"))


def poison(target: Target) -> None:
    """Write the payload into every text that a user or a member of staff can write."""
    published = target.world.published
    Article.objects.filter(pk=published.pk).update(title=PAYLOAD, content=PAYLOAD)
    Category.objects.update(name=PAYLOAD[:100])
    Comment.objects.update(text=PAYLOAD)
    Profile.objects.update(bio=PAYLOAD, location=PAYLOAD[:100])
    Product.objects.update(name=PAYLOAD)
    User.objects.filter(username="other").update(first_name=PAYLOAD, last_name=PAYLOAD)


def pages(target: Target) -> Iterator[str]:
    """Yield a path of each address, and some that show what was asked for."""
    for name, path in target.paths.items():
        yield path + QUERIES.get(name, "")
    for query in ("?page=", "?q=", "?next=", "?status__exact=", "?o=", "?e=", "?_popup="):
        for path in ("/", "/login/", "/admin/content/article/", "/none/"):
            yield f"{path}{query}{PAYLOAD}"


@attack
def on_every_page(target: Target, tries: Tries) -> None:
    """Write a script into every text, and look for it on every page, the admin's too."""
    poison(target)
    for role in READERS:
        for page in pages(target):
            text = target.role(role).get(page).text
            tries.hold(not SINGLE_QUOTED.search(text), f"{page} shows {role} the script.")


@attack
def by_the_policy(target: Target, tries: Tries) -> None:
    """Look for a page that a browser would let run a script of its own text."""
    for role in READERS:
        for page in pages(target):
            answer = target.role(role).get(page)
            policy = answer.headers.get("content-security-policy", "")
            strict = "default-src 'self'" in policy and "unsafe" not in policy
            probe = page in PROBES
            tries.hold(strict or probe, f"{page} by {role} has the policy {policy!r}.")
            if "text/html" in answer.headers.get("content-type", ""):
                tags = Tags(answer.text).found
                tries.hold(not tags, f"{page} by {role} has {tags[:3]}, which no policy lets run.")


@attack
def framed(target: Target, tries: Tries) -> None:
    """Show a page in a frame of another site, or have its type guessed."""
    wanted = {"x-frame-options": "DENY", "x-content-type-options": "nosniff"}
    for page in pages(target):
        headers = target.role("superuser").get(page).headers
        for name, value in wanted.items():
            right = headers.get(name) == value or page in PROBES
            tries.hold(right, f"{page}: {name} is {headers.get(name)!r}.")


@attack
def in_mails(target: Target, tries: Tries) -> None:
    """Write a script into the title of an article, which is told by mail."""
    other, reader = Author.objects.get(user__username="other"), User.objects.get(username="reader")
    Follow.objects.get_or_create(user=reader, author=other)
    values = {"title": PAYLOAD, "content": PAYLOAD, "status": "published"}
    status = target.role("other").post("/articles/new/", values).status_code
    tries.hold(status == 302, f"The form itself was refused: {status}")
    target.settle()
    mails = [mail for mail in target.mails(to=reader.email) if MARK in str(mail["subject"])]
    tries.hold(len(mails) == 1, f"{len(mails)} mails told of it.")
    for mail in mails:
        html = mail.get_body(("html",))
        text = html.get_content() if html else ""
        tries.hold(not SINGLE_QUOTED.search(text), f"The mail has the script: {text[:300]}")
