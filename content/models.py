"""The domain: who writes, what they write, what is said about it, and the products."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import IntegrityError, models, router, transaction
from django.urls import reverse

from aftercommit.tracking.auditable import AuditableMixin
from aftercommit.tracking.fields import CounterField

from .fields import PictureField
from .querysets import ArticleQuerySet, ProductQuerySet
from .rights import ArticleRights
from .validators import at_most, validate_not_in_future, validate_slug_not_reserved

COUNTED_BY = ("author", "category")
SLUG_LENGTH = 220
SLUG_ATTEMPTS = 50
AUTHOR_BIO_MAX_LENGTH = 5_000
CONTENT_MAX_LENGTH = 100_000
COMMENT_MAX_LENGTH = 5_000
PROFILE_BIO_MAX_LENGTH = 500
MAX_STOCK = 2**31 - 1  # what the column holds on every database


class Author(AuditableMixin, models.Model):
    """A writer of articles. Every user has one."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    bio = models.TextField(blank=True, **at_most(AUTHOR_BIO_MAX_LENGTH))
    article_count = CounterField()

    def __str__(self) -> str:
        return self.user.get_username()

    def get_absolute_url(self) -> str:
        return reverse("author-detail", args=[self.user.get_username()])


class Category(AuditableMixin, models.Model):
    """A subject of articles."""

    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    article_count = CounterField()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("category-detail", args=[self.slug])


class Article(AuditableMixin, ArticleRights):
    """A text that its author publishes."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        ARCHIVED = "archived", "Archived"
        REMOVED = "removed", "Being deleted"

    title = models.CharField(max_length=200)
    slug = models.SlugField(
        max_length=SLUG_LENGTH, unique=True, blank=True, validators=[validate_slug_not_reserved]
    )
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="articles")
    category = models.ForeignKey(
        Category, on_delete=models.SET_NULL, null=True, blank=True, related_name="articles"
    )
    content = models.TextField(**at_most(CONTENT_MAX_LENGTH))
    status = models.CharField(max_length=20, choices=Status, default=Status.DRAFT)
    view_count = CounterField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    tell_again = False
    """Set it before publishing, to have followers told of the article who were told before."""

    objects = ArticleQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["status", "-created_at", "-id"], name="article_newest_of_status")
        ]

    def __str__(self) -> str:
        return self.title

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save. If the slug is made from the title, try another one while it is taken."""
        if not self.lacks_slug:
            return super().save(*args, **kwargs)
        for _ in range(SLUG_ATTEMPTS):
            try:
                return self._save_in_savepoint(*args, **kwargs)
            except IntegrityError:
                if not self._lost_its_slug(kwargs.get("using")):
                    raise
                self.slug = ""
        raise IntegrityError(f"No free slug for {self.title!r} in {SLUG_ATTEMPTS} attempts.")

    def get_absolute_url(self) -> str:
        return reverse("article-detail", args=[self.slug])

    def _save_in_savepoint(self, *args: Any, **kwargs: Any) -> None:
        # Another transaction may commit the slug that the receiver found free, before this INSERT.
        # The savepoint keeps what the caller did before.
        with transaction.atomic(
            using=kwargs.get("using") or router.db_for_write(type(self), instance=self)
        ):
            super().save(*args, **kwargs)

    def _lost_its_slug(self, using: str | None) -> bool:
        others = Article.objects.using(using or router.db_for_write(type(self)))
        return others.filter(slug=self.slug).exclude(pk=self.pk).exists()

    @property
    def lacks_slug(self) -> bool:
        """Return whether a save has to make the slug. Doesn't fetch a deferred one."""
        return not self.__dict__.get("slug", True)

    @property
    def is_published(self) -> bool:
        """Return whether everybody may read the article.

        Setting this to True publishes the article. Setting it to False makes a published article a
        draft, and keeps an archived one.
        """
        return self.status == self.Status.PUBLISHED

    @is_published.setter
    def is_published(self, published: bool) -> None:
        if published:
            self.status = self.Status.PUBLISHED
        elif self.is_published:
            self.status = self.Status.DRAFT

    def counted_in(self) -> dict[str, int | None]:
        """Return the keys of the author and the category that count it in the database."""
        old = {name: values[0] for name, values in self.changes().items()}
        return {"author": self.author_id, "category": self.category_id} | {
            name: old[name] for name in COUNTED_BY if name in old
        }


class Comment(AuditableMixin, models.Model):
    """A user's comment on an article."""

    article = models.ForeignKey(Article, on_delete=models.CASCADE, related_name="comments")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="comments"
    )
    text = models.TextField(**at_most(COMMENT_MAX_LENGTH))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return f"Comment by {self.user.get_username()} on {self.article.title}"


class Profile(AuditableMixin, models.Model):
    """A user's words about themselves. Every user has one."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile"
    )
    bio = models.TextField(blank=True, **at_most(PROFILE_BIO_MAX_LENGTH))
    location = models.CharField(max_length=100, blank=True)
    birth_date = models.DateField(null=True, blank=True, validators=[validate_not_in_future])
    avatar = PictureField(upload_to="avatars/", blank=True)

    def __str__(self) -> str:
        return f"{self.user.get_username()}'s profile"


class Product(AuditableMixin, models.Model):
    """A thing that is sold."""

    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2, validators=[MinValueValidator(0)])
    stock = models.IntegerField(
        default=0, validators=[MinValueValidator(0), MaxValueValidator(MAX_STOCK)]
    )
    is_active = models.BooleanField(default=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name
