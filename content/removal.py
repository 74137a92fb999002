"""Deletes articles, and those with many comments in pieces.

Each deleted comment is logged and told to its receivers. For 14,000 comments in one transaction
SQLite's other writers would wait for 15 seconds.
"""

from .models import Article, Comment

PIECE = 200


def remove_article(article: Article) -> None:
    """Delete the article. One with many comments disappears now, and is deleted by a task."""
    if article.comments.order_by("pk")[PIECE:].exists():
        article.status = Article.Status.REMOVED
        article.save()
    else:
        article.delete()


def delete_piece(article: Article, using: str) -> bool:
    """Delete the oldest comments of an article, or the article with the last of them.

    Returns whether the article is deleted.
    """
    comments = Comment.objects.using(using)
    oldest = comments.filter(article=article).order_by("pk").values_list("pk", flat=True)
    piece = list(oldest[: PIECE + 1])
    if len(piece) <= PIECE:
        article.delete(using=using)
        return True
    comments.filter(pk__in=piece[:PIECE]).delete()
    return False
