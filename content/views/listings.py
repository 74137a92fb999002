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


class CategoryDetail(ArticleListing):
    """A category, and what is published in it."""

    template_name = "content/category_detail.html"

    def get_queryset(self) -> QuerySet[Article]:
        """Return the category's published articles."""
        self.category = get_object_or_404(Category, slug=self.kwargs["slug"])
        return super().get_queryset().filter(category=self.category)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the category."""
        return super().get_context_data(category=self.category, **kwargs)


class AuthorDetail(ArticleListing):
    """An author, and those of their articles that the reader may see."""

    template_name = "content/author_detail.html"

    def get_queryset(self) -> QuerySet[Article]:
        """Return the author's published articles, or all to who may see them."""
        authors = Author.objects.select_related("user__profile")
        self.author = get_object_or_404(authors, user__username=self.kwargs["username"])
        visible = Article.objects.visible_to(self.request.user)
        return visible.with_related().filter(author=self.author)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the author."""
        return super().get_context_data(author=self.author, **kwargs)
