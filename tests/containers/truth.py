"""What must hold in the end, whatever was killed: asked of the database and of the mail server."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.stack.waiting import wait_until
from tests.containers.compose import Compose
from tests.containers.errors import Broken
from tests.containers.mailbox import Mailbox

INSIDE = (Path(__file__).parent / "inside.py").read_text()
NOT_KNOWN = {"sending", "unconfirmed"}
"""The statuses of a mail whose sender was killed amid it. It arrived once or not at all."""


class Truth(NamedTuple):
    """What the database and the mail server hold."""

    database: dict[str, Any]
    mails: Counter[str]
    """How often each mail has arrived, by its Message-ID."""

    @property
    def not_known(self) -> int:
        """Return of how many mails nobody knows whether they arrived, and a person is told so."""
        return sum(status in NOT_KNOWN for _, status, _ in self.database["deliveries"])

    def problems(self, published: list[str], commented: Sequence[str] = ()) -> Iterator[str]:
        """Yield all that was lost or doubled, given what the site said is published."""
        articles, created = self.database["articles"], self.database["created"]
        yield from (f"{title} is lost" for title in published if title not in articles)
        for title, number in self.database["ids"].items():
            if created.get(str(number), 0) != 1:
                yield f"{title} has {created.get(str(number), 0)} entries that it was created"
        if self.database["counted"] != len(articles):
            yield f"{self.database['counted']} articles were counted, there are {len(articles)}"
        comments = self.database["comments"]
        yield from (f"{text!r} is lost" for text in commented if text not in comments)
        yield from (f"{text!r} came {times} times" for text, times in comments.items() if times > 1)
        yield from self._mail_problems()

    def _mail_problems(self) -> Iterator[str]:
        told = Counter(title for title, _, _ in self.database["deliveries"])
        for title, status in self.database["articles"].items():
            if status == "published" and told[title] != 1:
                yield f"{title} has {told[title]} mails for its one follower"
        for title, status, message_id in self.database["deliveries"]:
            arrived = self.mails[message_id.strip("<>")]
            if arrived > 1 or (arrived == 0 and status not in NOT_KNOWN):
                yield f"the mail about {title} is {status}, and arrived {arrived} times"


def find(compose: Compose) -> Truth:
    """Return what there is. Raises Broken while the database does not answer."""
    words = ("exec", "--interactive", compose.container("web"), "python", "-")
    database = json.loads(compose.docker(*words, given=INSIDE, seconds=60).rpartition("\n")[2])
    mails = Mailbox(compose.url("MAIL_WEB_PORT")).mails()
    return Truth(database, Counter(each.message_id for each in mails))


def settled(compose: Compose) -> Truth:
    """Return what there is once no call is due or runs. Raises TimeoutError."""

    def look() -> Truth | None:
        found = find(compose)
        calls = found.database["calls"]
        return None if calls.get("pending") or calls.get("running") else found

    found = wait_until(look, 180, "all calls to be done", every=1)
    assert found is not None
    return found


def check(compose: Compose, published: list[str], commented: Sequence[str] = ()) -> Truth:
    """Return what there is. Raises Broken if anything is lost or doubled."""
    found = settled(compose)
    if problems := [*found.problems(published, commented)]:
        raise Broken(f"{len(problems)} problems: {'; '.join(problems[:5])}.")
    return found
