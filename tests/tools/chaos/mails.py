"""Which mails are due, by what committed: to whom, about what."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.tools.chaos.changes import DELETE
from tests.tools.chaos.witness import FOLLOW, Record

PUBLISHED = "published"
MARGIN = timedelta(seconds=10)
"""Who followed so long before a publication is a follower when it is told of."""


class Records:
    """What the witness took down, by what a mail needs to know."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.all = [*records]
        self.articles = self._of("content.article")
        self.comments = self._of("content.comment")
        self.users = {
            each.new["id"]: each.new["user_id"] for each in self._of("content.author") if each.new
        }
        """The user of each author."""
        self._follows = self._of(FOLLOW)
        self._hidden = {
            each.old["id"]
            for each in self.articles
            if each.old and is_published(each.old) and not is_published(each.new)
        }

    def _of(self, model: str) -> list[Record]:
        return [each for each in self.all if each.model == model]

    def stays_published(self, article: int) -> bool:
        """Whether the article, once published, was neither hidden nor deleted."""
        return article not in self._hidden

    def publications(self) -> list[Record]:
        """Each time that an article became published."""
        became = [each for each in self.articles if is_published(each.new)]
        return [each for each in became if not is_published(each.old)]

    def sure_followers(self, article: dict[str, Any], at: datetime) -> set[int]:
        """Who followed the article's author or category long before this time, and for good."""
        ended = {each.old["id"] for each in self._follows if each.action == DELETE and each.old}
        found = set()
        for follow in self._follows:
            row = follow.new
            if not row or row["id"] in ended:
                continue
            about = row["author_id"] == article["author_id"] or (
                row["category_id"] is not None and row["category_id"] == article["category_id"]
            )
            if about and moment(follow.at) + MARGIN < at:
                found.add(row["user_id"])
        return found - {self.users[article["author_id"]]}


def is_published(row: dict[str, Any] | None) -> bool:
    """Whether the article's row is of a published one."""
    return row is not None and row["status"] == PUBLISHED


def moment(at: Any) -> datetime:
    """The time of a record, in UTC."""
    parsed = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def due_keys(records: Records, gathered: Mapping[int, str]) -> Iterator[str]:
    """The key of each delivery that must be there, and must have been sent.

    ``gathered`` has the key of the delivery that tells of a comment, by the comment's number.
    """
    for publication in records.publications():
        article = publication.new or {}
        if records.stays_published(article["id"]):
            for user in sorted(records.sure_followers(article, moment(publication.at))):
                yield f"article_published:{article['id']}:1:{user}"
    for comment, author in _due_comments(records):
        yield gathered.get(comment, f"comment_posted:{comment}:{author}")


def _due_comments(records: Records) -> Iterator[tuple[int, int]]:
    """Each comment that must be told of, and to whom."""
    authors = {each.new["id"]: each.new["author_id"] for each in records.articles if each.new}
    gone = {each.old["id"] for each in records.comments if each.action == DELETE and each.old}
    for each in records.comments:
        comment = each.new
        if comment and each.old is None and comment["id"] not in gone:
            author = records.users[authors[comment["article_id"]]]
            if records.stays_published(comment["article_id"]) and author != comment["user_id"]:
                yield comment["id"], author
