"""Send a user to another site by a link to this one."""

from urllib.parse import quote, urljoin, urlsplit

from tests.factories import PASSWORD
from tests.people import make_user
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "////evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example/",
    "https:evil.example",
    "https:///evil.example",
    "http:\\\\evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    " https://evil.example/",
    "\x01https://evil.example/",
    "https://127.0.0.1@evil.example/",
    "//evil.example\\@127.0.0.1/",
    "https://evil.example%2f@127.0.0.1/",
    "//[::ffff:1.2.3.4]/",
    "/%2f%2fevil.example/",
)
FIELDS = ("next", "redirect_to", "url")


def leaves(site_url: str, location: str) -> bool:
    """Return whether a browser on the site would go elsewhere."""
    there = urljoin(f"{site_url}/login/", location.replace("\\", "/").strip())
    return bool(location) and not there.startswith(f"{site_url}/")


@attack
def after_log_in(target: Target, tries: Tries) -> None:
    """Log in, sign up or log out by a link that names another site as the next page."""
    site = target.config.site_url
    make_user("redirected")
    form = {"login": "redirected", "password": PASSWORD}
    for number, there in enumerate(ELSEWHERE):
        visitor = target.visitor(address=f"127.0.3.{number + 1}")
        answers = {"login": visitor.post("/login/", {**form, "next": there})}
        answers["login again"] = visitor.get(f"/login/?next={quote(there)}")
        answers["signup"] = visitor.get(f"/signup/?next={quote(there)}")
        answers["logout"] = visitor.post("/logout/", {"next": there})
        for what, answer in answers.items():
            location = answer.headers.get("location", "")
            tries.hold(not leaves(site, location), f"{what} with {there!r}: to {location}")


@attack
def by_path(target: Target, tries: Tries) -> None:
    """Ask for a path that looks like another site, and has its last slash missing."""
    site = target.config.site_url
    for start in ("//evil.example", "///evil.example", "/\\evil.example", "/%2fevil.example"):
        for rest in ("", "/", "/x", "/articles/new", "/%2e%2e"):
            answer = target.visitor().client.get(f"{site}{start}{rest}")
            location = answer.headers.get("location", "")
            tries.hold(not leaves(site, location), f"{start}{rest}: to {location}")


@attack
def by_what_asks_who_it_is(target: Target, tries: Tries) -> None:
    """Have the log-in page sent to another site by the page that asks for it."""
    site = target.config.site_url
    for path in ("/profile/", "/articles/new/", "/admin/"):
        for query in ("?next=https://evil.example/", "?//evil.example"):
            location = target.visitor().get(path + query).headers.get("location", "")
            first = urlsplit(location)
            tries.hold(not first.netloc or location.startswith(site), f"{path}{query}: {location}")
