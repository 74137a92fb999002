"""The domain in Django's admin. Counters are read-only, because tasks keep them."""

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from .models import Article, Author, Category, Comment, Product, Profile
from .permissions import may, may_see_all
from .removal import remove_article
from .slugs import unguessable_slug


class OfUserAdmin(admin.ModelAdmin):
    """Rows that each user has one of. They end with their user."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse to delete one. What an author wrote would go with it, in one transaction."""
        return False


@admin.register(Author)
class AuthorAdmin(OfUserAdmin):
    list_display = ["user", "article_count"]
    ordering = ["user__username", "pk"]  # the pages of the choice of an author need one
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email", "bio"]
    autocomplete_fields = ["user"]
    readonly_fields = ["article_count"]


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "slug", "article_count"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["article_count"]


@admin.register(Article)
class ArticleAdmin(admin.ModelAdmin):
    list_display = ["title", "author", "category", "status", "view_count", "created_at"]
    list_filter = ["status", "category", "created_at"]
    list_select_related = ["author__user", "category"]
    search_fields = ["title", "slug", "content", "author__user__username"]
    autocomplete_fields = ["author", "category"]
    readonly_fields = ["view_count", "created_at", "updated_at"]
    date_hierarchy = "created_at"

    def get_readonly_fields(self, request: HttpRequest, obj: Article | None = None) -> list[str]:
        """Leave the slug to us if the user can't see all articles.

        That a slug is taken would tell this user of a draft.
        """
        fields = list(self.readonly_fields)
        return fields if may_see_all(request.user, Article) else ["slug", *fields]

    def get_deleted_objects(
        self, objs: Sequence[Article] | QuerySet[Article], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Name the articles and count their comments. A page of all comments can be megabytes."""
        comments = Comment.objects.filter(article__in=[article.pk for article in objs]).count()
        counts: dict[type[Model], int] = {Article: len(objs), Comment: comments}
        counts = {model: count for model, count in counts.items() if count}
        numbers = {str(model._meta.verbose_name_plural): n for model, n in counts.items()}
        forbidden = [model for model in counts if not may(request.user, "delete", model)]
        names = {str(model._meta.verbose_name) for model in forbidden}
        return [str(article) for article in objs], numbers, names, []

    def delete_model(self, request: HttpRequest, obj: Article) -> None:
        """Delete the article, in pieces if it has many comments."""
        remove_article(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> None:
        """Delete each of the articles, in pieces if it has many comments."""
        for article in queryset:
            remove_article(article)

    def save_model(self, request: HttpRequest, obj: Article, form: ModelForm, change: bool) -> None:
        """Save the article, with an unguessable slug if the user can't see all articles."""
        if not may_see_all(request.user, Article):
            obj.slug = unguessable_slug(obj.title)
        super().save_model(request, obj, form, change)


@admin.register(Comment)
class CommentAdmin(admin.ModelAdmin):
    list_display = ["article", "user", "text_start", "created_at"]
    list_filter = ["created_at"]
    list_select_related = ["article", "user"]
    search_fields = ["text", "article__title", "user__username"]
    autocomplete_fields = ["article", "user"]
    readonly_fields = ["created_at"]

    @admin.display(description="text")
    def text_start(self, comment: Comment) -> str:
        return comment.text if len(comment.text) <= 80 else f"{comment.text[:79]}…"


@admin.register(Profile)
class ProfileAdmin(OfUserAdmin):
    list_display = ["user", "location", "birth_date"]
    list_select_related = ["user"]
    search_fields = ["user__username", "user__email", "location"]
    autocomplete_fields = ["user"]


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["name", "price", "stock", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["name"]
