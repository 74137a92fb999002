"""The effects themselves, as the tasks of all contenders that run one effect at a time do them."""

from django.core.mail import EmailMessage
from django.db.models import F

from benchmarks.shop.models import Counter, Log

COUNTERS = 100
EFFECTS = 10
"""How many different effects a save can have."""

TEXT = "a change of the item, as an audit log describes it ".ljust(500, "x")


def build_log(item_id: int, action: str) -> Log:
    """The row of an audit effect, not saved."""
    return Log(item_id=item_id, action=action, text=TEXT)


def write_log(item_id: int, action: str = "update") -> None:
    """Insert one row."""
    build_log(item_id, action).save(force_insert=True)


def counter_of(item_id: int) -> int:
    """The primary key of the counter that counts the item."""
    return item_id % COUNTERS + 1


def count(item_id: int) -> None:
    """Move one of the counters by one."""
    Counter.objects.filter(pk=counter_of(item_id)).update(value=F("value") + 1)


def build_mail(item_id: int, title: str) -> EmailMessage:
    """One mail to a follower."""
    body = f"{title} was published.\n{TEXT}"
    return EmailMessage(title, body, "site@example.com", [f"follower{item_id}@example.com"])


def send_mail(item_id: int, title: str = "An item was published") -> None:
    """Send one mail by SMTP."""
    build_mail(item_id, title).send()


def do(kind: str, item_id: int) -> None:
    """Do the effect of a backlog."""
    {"audit": write_log, "counter": count, "mail": send_mail, "noop": lambda _: None}[kind](item_id)


def do_effect(number: int, item_id: int, title: str) -> None:
    """Do effect ``number`` of a save: of each three, one writes a log and two move counters."""
    if number % 3 == 0:
        write_log(item_id, title[:20])
    else:
        count(item_id + number)
