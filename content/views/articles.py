"""Reading, writing, publishing and discussing an article."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.contrib.messages.views import SuccessMessageMixin
from django.core.exceptions import PermissionDenied
from django.core.paginator import InvalidPage, Page, Paginator
from django.db import connection, transaction
from django.db.models import QuerySet
from django.forms import Form, ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.generic import CreateView, DeleteView, DetailView, UpdateView, View
from django.views.generic.base import TemplateResponseMixin
from django.views.generic.detail import SingleObjectMixin

from ..forms import ArticleForm, CommentForm
from ..models import Article, Author
from ..removal import remove_article
from ..signals import article_viewed
from ..slugs import unguessable_slug
from .form_page import FormPage


class SeenArticle(SingleObjectMixin):
    """An article. For a user who may not see it there is none."""

    request: HttpRequest
    queryset = Article.objects.with_related()

    def get_object(self, queryset: QuerySet[Article] | None = None) -> Article:
        """Return the article. Raises Http404 if the user may not see it."""
        article = super().get_object(queryset)
        if not article.can_be_seen_by(self.request.user):
            raise Http404("There is no article that the user may see.")
        return article


class ArticlePage(TemplateResponseMixin):
    """The page of one article, with a page of its comments and a comment form."""

    template_name = "content/article_detail.html"
    comments_per_page = 50
    request: HttpRequest

    def article_context(self, article: Article, form: CommentForm) -> dict[str, Any]:
        """Return the article, its comments, the form, and what the reader may do."""
        return {
            "article": article,
            "comments": self.page_of_comments(article),
            "form": form,
            "can_change": article.can_be_changed_by(self.request.user),
            "can_delete": article.can_be_deleted_by(self.request.user),
        }

    def page_of_comments(self, article: Article) -> Page:
        """Return the page of comments that ``?page=`` asks for. "last" is the page of the newest.

        Raises Http404 if there is no such page.
        """
        comments = article.comments.select_related("user")
        paginator = Paginator(comments, self.comments_per_page)
        number = self.request.GET.get("page", 1)
        try:
            return paginator.page(paginator.num_pages if number == "last" else number)
        except InvalidPage as error:
            raise Http404("There is no such page of comments.") from error


class ArticleDetail(ArticlePage, SeenArticle, DetailView):
    """An article and its comments. Sends ``article_viewed`` for a published article."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the article and an empty comment form."""
        return super().get_context_data(**kwargs) | self.article_context(self.object, CommentForm())

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the page, and tell that a published article was viewed."""
        response = super().get(request, *args, **kwargs)
        if request.method == "GET" and self.object.is_published:
            article_viewed.send(sender=Article, article=self.object, request=request)
        return response


class ArticleCreate(FormPage, LoginRequiredMixin, SuccessMessageMixin, CreateView):
    """A form for a new article. The user becomes its author. Its address can't be guessed."""

    model = Article
    form_class = ArticleForm
    success_message = "“%(title)s” is saved."

    def form_valid(self, form: ModelForm) -> HttpResponse:
        """Save under the user's author. A user that a fixture made may not have one yet."""
        user: Any = self.request.user  # not anonymous: the mixin saw to it
        form.instance.slug = unguessable_slug(form.instance.title)
        with transaction.atomic():
            form.instance.author, _ = Author.objects.get_or_create(user=user)
            return super().form_valid(form)


class ChangeableArticle(LoginRequiredMixin, SeenArticle):
    """An article to change. A user who can't see it gets 404, one who may not change it 403.

    A POST locks the article, so that it needs a transaction around it.
    """

    def get_queryset(self) -> QuerySet[Article]:
        """Return the articles, locked if this is a write.

        Without the lock two requests at once would both find a draft, and both would publish it.
        """
        articles = super().get_queryset()
        if self.request.method != "POST":
            return articles
        # MariaDB can't leave out the rows that are joined.
        of = ("self",) if connection.features.has_select_for_update_of else ()
        return articles.select_for_update(of=of)

    def get_object(self, queryset: QuerySet[Article] | None = None) -> Article:
        """Return the article. Raises PermissionDenied if the user may not do this to it."""
        article = super().get_object(queryset)
        if not self.is_allowed(article):
            raise PermissionDenied("Only the author can do this, or a user with the permission.")
        return article

    def is_allowed(self, article: Article) -> bool:
        """Return whether the user may do to the article what the page does."""
        return article.can_be_changed_by(self.request.user)


@method_decorator(transaction.atomic, name="post")
class ArticleEdit(FormPage, ChangeableArticle, SuccessMessageMixin, UpdateView):
    """The form of an article that exists."""

    form_class = ArticleForm
    success_message = "“%(title)s” is saved."

    def form_valid(self, form: ModelForm) -> HttpResponse:
        """Save the article. Followers are told again of what is published, if the form says so."""
        form.instance.tell_again = "tell_again" in self.request.POST
        return super().form_valid(form)


@method_decorator(transaction.atomic, name="post")
class ArticleDelete(FormPage, ChangeableArticle, DeleteView):
    """Asks whether to delete an article, and deletes it."""

    def form_valid(self, form: Form) -> HttpResponse:
        """Delete the article, and go to the newest articles."""
        remove_article(self.object)
        messages.success(self.request, "The article is deleted.")
        return redirect("article-list")

    def is_allowed(self, article: Article) -> bool:
        """Return whether the user may delete the article."""
        return article.can_be_deleted_by(self.request.user)


class BackToArticle(LoginRequiredMixin, View):
    """A POST to an article. After a log-in the user goes to the article, not to this address."""

    http_method_names = ["post"]

    def handle_no_permission(self) -> HttpResponseRedirect:
        """Redirect to the log-in page."""
        return redirect_to_login(reverse("article-detail", args=[self.kwargs["slug"]]))


@method_decorator(transaction.atomic, name="post")
class ArticlePublish(BackToArticle, ChangeableArticle):
    """Publishes an article."""

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Publish it, unless it is published already."""
        article = self.get_object()
        if article.is_published:
            messages.info(request, f"“{article}” was published already.")
        else:
            article.is_published = True
            article.tell_again = "tell_again" in request.POST
            article.save()
            messages.success(request, f"“{article}” is published.")
        return redirect(article)


class CommentCreate(BackToArticle, ArticlePage, SeenArticle, CreateView):
    """Adds a comment to an article that the user may see."""

    form_class = CommentForm

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Save the comment, or show the article with what is wrong with it."""
        self.article = self.get_object()
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: ModelForm) -> HttpResponse:
        """Save it as the user's, and go to where it stands."""
        form.instance.article, form.instance.user = self.article, self.request.user
        comment = form.save()
        messages.success(self.request, "Your comment is saved.")
        return redirect(f"{self.article.get_absolute_url()}?page=last#comment-{comment.pk}")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the article, and the comment form as it was sent."""
        context = super().get_context_data(**kwargs)
        return context | self.article_context(self.article, context["form"])
