"""Use the links of mails about accounts, or have them lead elsewhere."""

import re

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User

from core.stack.waiting import wait_until
from tests.factories import PASSWORD
from tests.people import make_user
from tests.tools.attack import raw
from tests.tools.attack.attacks.accounts import OTHER, RESET, sign_up
from tests.tools.attack.registry import attack
from tests.tools.attack.target import PATIENCE, Target
from tests.tools.attack.tries import Tries
from tests.tools.attack.visitor import Visitor


def link_in_mail(target: Target, to: str, path: str) -> str:
    """Return the path of the newest link to the address that begins so. Waits for the mail."""

    def links() -> list[str]:
        texts = [mail.get_content() for mail in target.mails(to=to)]
        return [link for text in texts for link in re.findall(rf"http\S+?({path}\S+)", text)]

    wait_until(lambda: bool(links()), PATIENCE, "the mail with the link")
    return links()[-1]


@attack
def reset_by_another_host(target: Target, tries: Tries) -> None:
    """Have the link to another password lead to a site of one's own."""
    user = make_user("reset-host")
    port, form = target.config.web_port, f"csrfmiddlewaretoken={'a' * 32}&email={user.email}"
    for header in ("Host: evil.example", "X-Forwarded-Host: evil.example"):
        host = "" if header.startswith("Host") else f"Host: 127.0.0.1:{port}\r\n"
        head = f"POST {RESET} HTTP/1.1\r\n{host}{header}\r\nCookie: csrftoken={'a' * 32}\r\n"
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        end = f"{kind}Content-Length: {len(form)}\r\nConnection: close\r\n\r\n{form}"
        raw.send(port, (head + end).encode())
    target.visitor().post(RESET, {"email": user.email})
    link_in_mail(target, user.email, RESET)
    mails = [mail.as_string() for mail in target.mails(to=user.email)]
    tries.hold(bool(mails), "No mail was sent.")
    tries.hold(not any("evil.example" in mail for mail in mails), "A link leads elsewhere.")


@attack
def reset_by_a_forged_link(target: Target, tries: Tries) -> None:
    """Set another user's password by a link that was guessed, changed, or used before."""
    user = make_user("reset-link")
    target.visitor().post(RESET, {"email": user.email})
    path = link_in_mail(target, user.email, RESET)
    other = User.objects.get(username="reader").pk
    start, key = path.removeprefix(RESET).rstrip("/").split("-", 1)
    forged = [f"{start}-{key[:-1]}x/", f"{start}-{'a' * 32}/", f"{other}-{key}/", f"1-{key}/"]
    for each in forged:
        set_password(target.visitor(), f"{RESET}{each}")
        tries.hold(has_password(user.pk, PASSWORD), f"{each} set the password.")
        tries.hold(has_password(other, PASSWORD), f"{each} set another user's password.")
    target.visitor().get(path)
    tries.hold(has_password(user.pk, PASSWORD), "A GET of the link set the password.")
    set_password(target.visitor(), path)
    tries.hold(has_password(user.pk, OTHER), "The true link is of no use.")
    set_password(target.visitor(), path, "a-third-long-word-8")
    tries.hold(has_password(user.pk, OTHER), "The link set the password twice.")


def set_password(visitor: Visitor, path: str, password: str = OTHER) -> None:
    """Follow the link, and send the form of the page that it leads to."""
    there = visitor.get(path).headers.get("location", path)
    visitor.post(there, {"password1": password, "password2": password})


def has_password(key: int, password: str) -> bool:
    """Return whether this is the user's password."""
    return User.objects.get(pk=key).check_password(password)


@attack
def verification_by_get(target: Target, tries: Tries) -> None:
    """Have an address verified by the program that opens the links of its mails."""
    visitor = target.visitor(address="127.0.0.30")
    sign_up(visitor, "scanned", "scanned@mail.example")
    path = link_in_mail(target, "scanned@mail.example", "/account/address/verify/")
    target.visitor().get(path)
    found = EmailAddress.objects.get(email="scanned@mail.example")
    tries.hold(not found.verified, "A GET verified the address.")
    for forged in (f"{path[:-2]}x/", "/account/address/verify/x/", f"{path[:-30]}/"):
        target.visitor().post(forged)
        found.refresh_from_db()
        tries.hold(not found.verified, f"{forged} verified the address.")
    target.visitor().post(path)
    found.refresh_from_db()
    tries.hold(found.verified, "The true link verifies nothing.")
