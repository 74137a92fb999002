"""The domain's tasks: counters, deletions in pieces, and files that nobody shows any more."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from celery import shared_task
from django.db.models import F, Model

from aftercommit.call import Call

from . import removal, stored_pictures
from .models import Article, Author, Category

COUNTERS: dict[str, type[Model]] = {"author": Author, "category": Category}


@shared_task(batch=True)
def count_articles(calls: Sequence[Call]) -> None:
    """Move the counters of authors and categories as articles came, went or moved.

    Each call has ``before`` and ``after``: the keys of the ``author`` and the ``category`` that
    counted the article and that count it now. A key of none is None or left out.
    """
    for name, model in COUNTERS.items():
        move_counter(model, "article_count", net_moves(calls, name), calls[0].using)


# Lock the rows in the order of their keys, as move_counter does. FOR NO KEY UPDATE lets somebody
# comment on an article meanwhile. 'strict' makes a call without the argument an error.
COUNT_VIEWS = f"""
    UPDATE {Article._meta.db_table} AS article SET view_count = view_count + viewed.times
    FROM (
        SELECT id, times FROM {Article._meta.db_table} JOIN (
            SELECT jsonb_path_query_first(kwargs, 'strict $.article_id')::bigint AS id,
                count(*) AS times
            FROM calls GROUP BY 1
        ) AS counted USING (id) ORDER BY id FOR NO KEY UPDATE OF {Article._meta.db_table}
    ) AS viewed
    WHERE article.id = viewed.id
"""  # noqa: S608  # nobody's input


@shared_task(batch=True, sql=COUNT_VIEWS)
def count_views(calls: Sequence[Call]) -> None:
    """Add the views of the batch to their articles. Each call has ``article_id``."""
    views = Counter(call.kwargs["article_id"] for call in calls)
    move_counter(Article, "view_count", views, calls[0].using)


# One call a transaction: a piece holds SQLite's one lock for writers for a fifth of a second.
@shared_task(batch=True, batch_size=1)
def delete_removed(calls: Sequence[Call]) -> None:
    """Delete a piece of each removed article: some of its comments, at the end the article.

    Each call has ``article_id``. A call whose article is gone, or removed no more, does nothing.
    """
    for call in calls:
        removed = Article.objects.using(call.using).filter(status=Article.Status.REMOVED)
        article = removed.filter(pk=call.kwargs["article_id"]).first()
        if article is not None and not removal.delete_piece(article, call.using):
            delete_removed.using(call.using).delay_on_commit(article_id=article.pk)


# Deleting a file twice is harmless. 24 retries with Celery's backoff take about two hours, in which
# a storage can come back.
@shared_task(atomic=False, reject_on_worker_lost=True, max_retries=24)
def delete_picture(name: str) -> None:
    """Delete the file of a picture, unless a profile shows it. Without the file do nothing."""
    stored_pictures.delete_unused(name)


@shared_task
def delete_orphaned_pictures() -> int:
    """Delete old files of pictures that no profile shows. Return how many. Beat asks for it."""
    return stored_pictures.delete_orphans()


def net_moves(calls: Iterable[Call], name: str) -> Counter[int | None]:
    """Return how far each author's or category's counter moves by all the calls together."""
    moves: Counter[int | None] = Counter()
    for call in calls:
        moves[call.kwargs.get("before", {}).get(name)] -= 1
        moves[call.kwargs.get("after", {}).get(name)] += 1
    del moves[None]
    return moves


def move_counter(model: type[Model], field: str, moves: Counter[Any], using: str) -> None:
    """Move each row's counter with one UPDATE. A row that is gone has nothing to count.

    The UPDATEs are in the order of the keys. Two batches that lock the same rows in different
    orders would wait for each other.
    """
    for pk, move in sorted(moves.items()):
        if move:
            rows = model._default_manager.using(using)
            rows.filter(pk=pk).update(**{field: F(field) + move})
