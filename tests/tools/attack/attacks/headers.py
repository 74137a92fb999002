"""Write a header of an answer or of a mail, or have the site believe a header."""

from collections.abc import Iterator

from django.contrib.auth.models import User

from content.models import Author
from notifications.models import Follow
from tests.tools.attack import raw
from tests.tools.attack.registry import attack
from tests.tools.attack.target import Target
from tests.tools.attack.tries import Tries

VICTIM = "victim@mail.example"
ENDS = ("\r\n", "\n", "\r", "%0d%0a", "%0a", "\u2028", "\u560d\u560a", "%E5%98%8A%E5%98%8D", "\x85")
INJECTED = "X-Injected: yes"
FOREIGN = "evil.example"


def injections() -> Iterator[str]:
    """Yield texts that end a header and begin another."""
    for end in ENDS:
        yield f"x{end}{INJECTED}{end}{end}<p>"


@attack
def of_an_answer(target: Target, tries: Tries) -> None:
    """End a header of an answer by a line break in a path, a query, a form or a name."""
    for text in injections():
        visitor = target.visitor(address="127.0.0.5")
        answers = [visitor.post("/login/", {"login": text, "next": f"/{text}"})]
        if text.isprintable():
            answers += [visitor.get(f"/{text}"), visitor.get(f"/login/?next=/{text}")]
            answers += [visitor.get(f"/profile/?{text}"), visitor.get(f"/articles/new?{text}")]
        for answer in answers:
            found = "x-injected" in answer.headers
            tries.hold(not found, f"{text!r} at {answer.request.url} wrote a header.")


@attack
def of_a_mail(target: Target, tries: Tries) -> None:
    """End a header of a mail by a line break in a title."""
    reader = User.objects.get(username="reader")
    Follow.objects.get_or_create(user=reader, author=Author.objects.get(user__username="other"))
    before = len(target.mails())
    for number, end in enumerate(("\r\n", "\n", "\r", "\u2028", "\x85", "\x0b")):
        title = f"Broken {number}{end}Bcc: {VICTIM}{end}{end}Text"
        target.role("other").post(
            "/articles/new/", {"title": title, "content": "x", "status": "published"}
        )
    target.settle()
    for mail in target.mails()[before:]:
        tries.hold(mail["Bcc"] is None, f"A mail has the header Bcc: {mail['Bcc']}")
        tries.hold(VICTIM not in mail["X-Envelope-To"], "A mail went to the victim.")
    tries.hold(len(target.mails()) >= before, "The mails are gone.")


@attack
def host(target: Target, tries: Tries) -> None:
    """Name another host, so that links in pages and mails lead there."""
    port = target.config.web_port
    hosts = [FOREIGN, f"{FOREIGN}:{port}", f"127.0.0.1:{port}@{FOREIGN}", f"127.0.0.1.{FOREIGN}"]
    hosts += [f"127.0.0.1:{port}/{FOREIGN}", f"127.0.0.1 {FOREIGN}", "", "\x00", "[::1", "*"]
    for name in hosts:
        for path in ("/", "/login/", "/password/reset/", "/signup/", "/none/"):
            request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
            answer = raw.send(port, request.encode())
            status = raw.status_of(answer)
            tries.hold(status in (0, 400), f"GET {path} with the Host {name!r}: {status}")
            tries.hold(FOREIGN.encode() not in answer, f"GET {path} shows the Host {name!r}.")


@attack
def forwarded_host(target: Target, tries: Tries) -> None:
    """Name another host or scheme in the headers that proxies write."""
    headers = {
        "X-Forwarded-Host": FOREIGN,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "81",
        "Forwarded": f"host={FOREIGN};proto=https",
        "X-Original-URL": "/admin/",
        "X-Rewrite-URL": "/admin/",
        "X-HTTP-Method-Override": "DELETE",
        "X-Host": FOREIGN,
    }
    for name, value in headers.items():
        for path in ("/", "/login/", "/profile/"):
            plain = target.visitor().get(path)
            answer = target.visitor().get(path, **{name: value})
            same = (answer.status_code, answer.headers.get("location")) == (
                plain.status_code,
                plain.headers.get("location"),
            )
            tries.hold(same and FOREIGN not in answer.text, f"{name} changed {path}.")


@attack
def request_id(target: Target, tries: Tries) -> None:
    """Choose the number of a request, which stands in the log and on the pages."""
    for text in ("x" * 10_000, "<script>", "1", "00000000-0000-0000-0000-000000000000", "%0a"):
        answer = target.visitor().get("/", **{"X-Request-ID": text})
        given = answer.headers.get("x-request-id", "")
        tries.hold(given != text, f"The number {text[:40]!r} was taken.")
