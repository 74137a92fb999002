"""What the domain has of a person: their comments, articles, profile and the words about them."""

from collections.abc import Iterator

from django.db import transaction

from core.forgetting.context import forgetting
from core.forgetting.owned import Owned, register_owned
from core.forgetting.person import Person
from core.forgetting.places import OwnRows, Rows, register_place

from . import removal
from .models import Article, Author, Comment, Profile

Status = Article.Status


class Articles(OwnRows):
    """The articles that are deleted, each in pieces if it has many comments."""

    def remove(self, person: Person) -> Iterator[int]:
        """Hide all of them at once, then delete them. Yield 1 for each that is deleted."""
        articles = self.rows(person)
        articles.update(status=Status.REMOVED)  # without signals, so that no task deletes them
        while article := articles.order_by("pk").first():
            with forgetting(), transaction.atomic(using=articles.db):
                is_deleted = removal.delete_piece(article, articles.db)
            yield int(is_deleted)


def comments_of(person: Person) -> Rows:
    """Return the person's comments. They are deleted, since their text is the person's."""
    return Comment.objects.filter(user=person.user_id)


def articles_of(person: Person) -> Rows:
    """Return the articles that are deleted."""
    return _all_articles_of(person).exclude(status__in=_kept_statuses(person))


def kept_articles_of(person: Person) -> Rows:
    """Return the articles that stay, without their author's name: what was published."""
    return _all_articles_of(person).filter(status__in=_kept_statuses(person))


def comments_on_articles_of(person: Person) -> Rows:
    """Return the comments on articles that are deleted. Their names have the articles' titles."""
    return Comment.objects.filter(article__in=articles_of(person).values("pk"))


def profiles_of(person: Person) -> Rows:
    """Return the profile. Its picture's file is deleted after the commit."""
    return Profile.objects.filter(user=person.user_id)


def words_of(person: Person) -> Rows:
    """Return the author if there are words about them."""
    return Author.objects.filter(user=person.user_id).exclude(bio="")


def clear_words(authors: Rows) -> None:
    """Leave no words about the authors."""
    for author in authors:
        author.bio = ""
        author.save()


def _all_articles_of(person: Person) -> Rows:
    return Article.objects.filter(author__user=person.user_id)


def _kept_statuses(person: Person) -> list[str]:
    return [Status.PUBLISHED, Status.ARCHIVED] if person.keeps_articles else []


register_owned(Owned(Author, "user", lambda person: Author.objects.filter(user=person.user_id)))
register_owned(Owned(Profile, "user", profiles_of))
register_owned(Owned(Article, "author", articles_of, kept_articles_of))
register_owned(Owned(Comment, "user", comments_of))
register_owned(Owned(Comment, "article", comments_on_articles_of, is_named=True))
register_place(OwnRows("comments", ("content.comment",), comments_of))
register_place(Articles("articles", ("content.article",), articles_of))
register_place(OwnRows("profiles", ("content.profile",), profiles_of))
register_place(OwnRows("words about the author", ("content.author",), words_of, clear_words))
