"""A new person's story, told by forms, mails and Flower's pages alone."""

import httpx

from core.stack.waiting import wait_until
from tests.containers.compose import LOGIN, Compose
from tests.containers.errors import Broken
from tests.containers.mailbox import Mailbox
from tests.containers.people import Person

AUTHOR, READER = "anna", "rolf"
TITLE = "Tide tables"


def tell(compose: Compose, author: Person, reader: Person) -> None:
    """Have two people sign up, verify, log in, follow, publish and comment. Raises Broken."""
    mailbox = Mailbox(compose.url("MAIL_WEB_PORT"))
    author.join(mailbox)
    reader.join(mailbox)
    reader.follow(author)
    page = author.publish(TITLE)
    told = mailbox.wait_for(reader.address, TITLE)
    check_link(compose, mailbox.text(told))
    reader.comment(page, "Very useful.")
    mailbox.wait_for(author.address, "commented")


def check_link(compose: Compose, text: str) -> None:
    """Raise Broken if the mail's links don't lead to the port at which the site is published."""
    if compose.url("WEB_PORT") not in text:
        raise Broken(f"A mail has no link to {compose.url('WEB_PORT')}: {text}")


def check_mails(compose: Compose) -> int:
    """Return how many mails have arrived. Raises Broken if one arrived twice."""
    found = [each.message_id for each in Mailbox(compose.url("MAIL_WEB_PORT")).mails()]
    if len(found) != len({*found}):
        raise Broken(f"{len(found) - len({*found})} mails arrived twice.")
    return len(found)


def check_flower(compose: Compose) -> None:
    """Raise Broken unless Flower shows the worker to its person, and nothing to others."""
    with httpx.Client(base_url=compose.url("FLOWER_PORT"), timeout=10, trust_env=False) as client:
        refused = client.get("/workers").status_code
        if refused != httpx.codes.UNAUTHORIZED:
            raise Broken(f"Flower answered {refused} to somebody without a password.")
        wait_until(
            lambda: "worker@" in client.get("/workers", auth=LOGIN).text,
            30,
            "Flower to show the worker",
            every=0.5,
        )


def check_ready(compose: Compose, number: int = 1) -> None:
    """Raise Broken if ``/readyz`` has a problem, misses a worker, or knows another number."""
    if found := not_ready(compose, number):
        raise Broken(found)


def not_ready(compose: Compose, number: int) -> str:
    """Return what ``/readyz`` has to say, or "" if it has no problem and knows these workers."""
    answer = httpx.get(f"{compose.url('WEB_PORT')}/readyz", timeout=10, trust_env=False).json()
    workers = answer["databases"]["default"]["workers"]
    if answer["ready"] and [each["stale"] for each in workers] == [False] * number:
        return ""
    return f"/readyz has the problems {answer['problems']} and the workers {workers}."
