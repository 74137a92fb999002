"""Makes the domain's objects as the site would: saved, with their signals."""

from functools import cache
from typing import Any

import factory
from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from factory.django import DjangoModelFactory

from content.models import Article, Author, Category, Comment, Product

PASSWORD = "correct-horse-battery"


def password_hash() -> str:
    """The hash of ``PASSWORD``, made once by each hasher: it is slow on purpose."""
    return hashed_by(settings.PASSWORD_HASHERS[0])


@cache
def hashed_by(hasher: str) -> str:
    return make_password(PASSWORD)


class UserFactory(DjangoModelFactory):
    """A user with a verified address, or an unverified one; logs in with ``PASSWORD``."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda number: f"user{number}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    password = factory.LazyFunction(password_hash)

    @factory.post_generation
    def verified(self: User, create: bool, extracted: bool | None, **kwargs: Any) -> None:
        """Keep what was verified: ``UserFactory(verified=False)``."""
        if create and self.email:
            EmailAddress.objects.create(
                user=self, email=self.email.lower(), primary=True, verified=extracted is not False
            )


def user_with(*codenames: str, **kwargs: Any) -> User:
    """A user with these permissions of the domain: ``user_with("change_article")``."""
    user: User = UserFactory(**kwargs)
    granted = Permission.objects.filter(content_type__app_label="content", codename__in=codenames)
    assert len(granted) == len(codenames), codenames
    user.user_permissions.set(granted)
    return user


class AuthorFactory(DjangoModelFactory):
    """The author that the signals make for a new user: ``AuthorFactory(user__username="mara")``."""

    class Meta:
        model = Author

    user = factory.SubFactory(UserFactory)

    @classmethod
    def _create(cls, model_class: type[Author], *args: Any, **kwargs: Any) -> Author:
        author: Author = kwargs.pop("user").author
        for name, value in kwargs.items():
            setattr(author, name, value)
        if kwargs:
            author.save()
        return author


class CategoryFactory(DjangoModelFactory):
    """A category."""

    class Meta:
        model = Category

    name = factory.Sequence(lambda number: f"Category {number}")
    slug = factory.Sequence(lambda number: f"category-{number}")


class ArticleFactory(DjangoModelFactory):
    """A draft without a category; ``ArticleFactory(published=True)`` is a published one."""

    class Meta:
        model = Article

    class Params:
        published = factory.Trait(status=Article.Status.PUBLISHED)

    title = factory.Sequence(lambda number: f"Article {number}")
    author = factory.SubFactory(AuthorFactory)
    content = "One paragraph.\n\nAnd another one."


class CommentFactory(DjangoModelFactory):
    """A comment by somebody else on a published article."""

    class Meta:
        model = Comment

    article = factory.SubFactory(ArticleFactory, published=True)
    user = factory.SubFactory(UserFactory)
    text = "Well said."


class ProductFactory(DjangoModelFactory):
    """A product for sale."""

    class Meta:
        model = Product

    name = factory.Sequence(lambda number: f"Product {number}")
    price = "9.99"
    stock = 100
