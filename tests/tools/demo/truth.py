"""What must hold at the end, whoever did what: asked of the database and the mails themselves."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.tools.demo.databases import Reader
from tests.tools.demo.observe import Observer

WAITING = """
    SELECT task, status, count(*) FROM aftercommit_outboxcall GROUP BY task, status
    UNION ALL SELECT task, 'in a batch', count(*) FROM aftercommit_outboxbatch GROUP BY task
"""
UNSENT = """
    SELECT address, status FROM notifications_delivery WHERE status <> 'sent' ORDER BY address
"""
SENT = "SELECT message_id FROM notifications_delivery WHERE status = 'sent'"
WRONG_COUNTERS = """
    SELECT 'author ' || username, article_count,
        (SELECT count(*) FROM content_article WHERE author_id = content_author.id)
    FROM content_author JOIN auth_user ON auth_user.id = content_author.user_id
    UNION ALL SELECT 'category ' || slug, article_count,
        (SELECT count(*) FROM content_article WHERE category_id = content_category.id)
    FROM content_category
"""


class Truth(NamedTuple):
    """A sentence about the end, and what speaks against it."""

    sentence: str
    problems: list[str]


def truths(database: Reader, observer: Observer) -> Iterator[Truth]:
    """Each thing that must hold."""
    yield Truth(
        "The outbox is empty: no call waits, none failed",
        [f"{count} of {task}: {status}" for task, status, count in database.rows(WAITING)],
    )
    yield Truth("Every mail is recorded as sent, and arrived once", [*_mails(database, observer)])
    yield Truth(
        "Every counter equals the rows it counts",
        [
            f"the counter of {name} is {counter}, there are {rows}"
            for name, counter, rows in database.rows(WRONG_COUNTERS)
            if counter != rows
        ],
    )


def _mails(database: Reader, observer: Observer) -> Iterator[str]:
    yield from (f"the mail to {to} is {status}" for to, status in database.rows(UNSENT))
    recorded = {message_id for (message_id,) in database.rows(SENT)}
    for message_id in sorted(recorded | observer.message_ids.keys()):
        times = observer.message_ids[message_id]
        if message_id not in recorded:
            yield f"the mail {message_id} arrived and is not recorded as sent"
        elif times != 1:
            yield f"the mail {message_id} is recorded as sent and arrived {times} times"
