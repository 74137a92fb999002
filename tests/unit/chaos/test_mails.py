"""Tests of what mails are due: those of stable publications to those who followed long before."""

import json
from typing import Any

from tests.tools.chaos.checks import Kind, check_publications
from tests.tools.chaos.mails import Records, due_keys
from tests.tools.chaos.witness import CALL, FOLLOW, Record
from tests.unit.chaos.evidence import EARLY, LATER, kinds, record

ARA = record("content.author", None, {"id": 1, "user_id": 10, "bio": ""})
FOLLOWS = {"id": 1, "user_id": 20, "author_id": 1, "category_id": None}
FOLLOWED = record(FOLLOW, None, FOLLOWS, EARLY)


def article(status: str) -> dict[str, Any]:
    """The row of an article by Ara."""
    return {"id": 5, "author_id": 1, "category_id": None, "status": status}


PUBLISHED = record("content.article", article("draft"), article("published"))
HIDDEN = record("content.article", article("published"), article("archived"))
COMMENT = {"id": 9, "article_id": 5, "user_id": 20, "text": "Well said."}


def told(times: int = 1) -> list[Record]:
    """The calls that tell followers of the publication."""
    payload = json.dumps([[], {"article_id": 5, "event_id": "e"}])
    call = {"id": 1, "task": "notifications.tasks.notify_followers", "payload": payload}
    return [record(CALL, None, call)] * times


def due(*records: Record) -> list[str]:
    """The keys that are due by these records."""
    return [*due_keys(Records([ARA, *records]), {10: "comment_posted:8:10"})]


def test_follower() -> None:
    """Who followed long before is told."""
    assert due(FOLLOWED, PUBLISHED, *told()) == ["article_published:5:1:20"]


def test_follower_of_category() -> None:
    """A category's follower is told, too, and nobody twice."""
    row = article("published") | {"category_id": 3}
    published = record("content.article", None, row)
    also = record(FOLLOW, None, FOLLOWS | {"id": 2, "author_id": None, "category_id": 3}, EARLY)
    assert due(FOLLOWED, also, published, *told()) == ["article_published:5:1:20"]


def test_unsure() -> None:
    """Who followed just before, who unfollowed, and the author may be told or not."""
    just_before = record(FOLLOW, None, FOLLOWS, LATER)
    unfollowed = record(FOLLOW, FOLLOWS, None)
    herself = record(FOLLOW, None, FOLLOWS | {"user_id": 10}, EARLY)
    assert due(just_before, PUBLISHED, *told()) == []
    assert due(FOLLOWED, unfollowed, PUBLISHED, *told()) == []
    assert due(herself, PUBLISHED, *told()) == []


def test_hidden_again() -> None:
    """Of an article that was hidden or deleted, a mail may have been sent or not."""
    deleted = record("content.article", article("published"), None)
    assert due(FOLLOWED, PUBLISHED, HIDDEN, *told()) == []
    assert due(FOLLOWED, PUBLISHED, deleted, *told()) == []


def test_comment() -> None:
    """The author is told of a comment by somebody else that stays."""
    comment = record("content.comment", None, COMMENT)
    own = record("content.comment", None, COMMENT | {"user_id": 10})
    assert due(PUBLISHED, comment) == ["comment_posted:9:10"]
    gathered = record("content.comment", None, COMMENT | {"id": 10})
    assert due(PUBLISHED, gathered) == ["comment_posted:8:10"]
    assert due(PUBLISHED, own) == []
    assert due(PUBLISHED, comment, record("content.comment", COMMENT, None)) == []


def test_publications() -> None:
    """Each publication makes one event."""
    for times, expected in ((0, [Kind.LOST]), (1, []), (2, [Kind.DOUBLED])):
        assert kinds(check_publications(Records([PUBLISHED, *told(times)]))) == expected
