"""The pages that list articles."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.views.generic import ListView

from ..models import Article, Author, Category


class ArticleListing(ListView):
    """The published articles, newest first."""

    paginate_by = 10

    def get_queryset(self) -> QuerySet[Article]:
        """Return the articles that the page lists."""
        return Article.objects.published().with_related()


class ArticleList(ArticleListing):
    """The front page."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add every category."""
        return super().get_context_data(categories=Category.objects.all(), **kwargs)


class CountedListing(ArticleListing):
    """The articles of one author or category, with their number.

    The number of the listed articles is the paginator's, and costs no query. The counters of
    authors and categories count drafts as well, so that no public page shows them.
    """

    def count_unpublished(self, **subject: Author | Category) -> int:
        """Return how many unpublished articles of the ``author=`` or ``category=`` are visible.

        They are counted for the reader. Costs no query for a reader who isn't logged in.
        """
        user = self.request.user
        if not user.is_authenticated:
            return 0
        return Article.objects.visible_to(user).unpublished().filter(**subject).count()


class CategoryDetail(CountedListing):
    """A category, and what is published in it."""

    template_name = "content/category_detail.html"

    def get_queryset(self) -> QuerySet[Article]:
        """Return the category's published articles."""
        self.category = get_object_or_404(Category, slug=self.kwargs["slug"])
        return super().get_queryset().filter(category=self.category)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the category, and how many of its unpublished articles the reader may see."""
        unpublished = self.count_unpublished(category=self.category)
        context = super().get_context_data(category=self.category, **kwargs)
        return context | {"unpublished": unpublished, "published": context["paginator"].count}


class AuthorDetail(CountedListing):
    """An author, and those of their articles that the reader may see."""

    template_name = "content/author_detail.html"

    def get_queryset(self) -> QuerySet[Article]:
        """Return the author's published articles, or all to who may see them."""
        authors = Author.objects.select_related("user__profile")
        self.author = get_object_or_404(authors, user__username=self.kwargs["username"])
        visible = Article.objects.visible_to(self.request.user)
        return visible.with_related().filter(author=self.author)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the author, and how many of the listed articles are not published."""
        unpublished = self.count_unpublished(author=self.author)
        context = super().get_context_data(author=self.author, **kwargs)
        published = context["paginator"].count - unpublished
        return context | {"unpublished": unpublished, "published": published}
