"""Follow and unfollow, and say which mails one wants."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import redirect_to_login
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST
from django.views.generic import ListView

from content.models import Author, Category
from core.accounts.addresses import verified_address

from .forms import MailsForm
from .models import Follow


@require_POST
def follow_author(request: HttpRequest, username: str) -> HttpResponse:
    """Follow an author, or end it. Go back to where the user was."""
    author = get_object_or_404(Author.objects.select_related("user"), user__username=username)
    return _toggle(request, author=author)


@require_POST
def follow_category(request: HttpRequest, slug: str) -> HttpResponse:
    """Follow a category, or end it. Go back to where the user was."""
    return _toggle(request, category=get_object_or_404(Category, slug=slug))


class Following(LoginRequiredMixin, ListView):
    """What the user follows, newest first, and the switches for each kind of mail."""

    http_method_names = ["get", "head", "post", "options"]
    template_name = "notifications/following.html"
    paginate_by = 50

    def get_queryset(self) -> QuerySet[Follow]:
        """Return the user's follows, with what the page shows of each."""
        follows = Follow.objects.filter(user=self.request.user)
        return follows.select_related("author__user", "category").order_by("-created_at", "-pk")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the switches, and the address that mails go to."""
        user: Any = self.request.user  # not anonymous: the mixin saw to it
        context = {"form": MailsForm(user=user), "address": verified_address(user)}
        return super().get_context_data(**(context | kwargs))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Keep the switches, or show the page with what is wrong."""
        user: Any = request.user
        form = MailsForm(request.POST, user=user)
        if form.is_valid():
            form.save()
            messages.success(request, "Saved.")
            return redirect("following")
        self.object_list = self.get_queryset()
        return self.render_to_response(self.get_context_data(form=form))


def _toggle(request: HttpRequest, **target: Author | Category) -> HttpResponse:
    (subject,) = target.values()
    back = _safe_next(request, subject.get_absolute_url())
    # login_required would come back here after the log-in, with a GET.
    if not request.user.is_authenticated:
        return redirect_to_login(back)
    if "wanted" in request.POST:
        follows = request.POST["wanted"] == "yes"
        Follow.objects.switch(request.user, follows, **target)
    else:
        follows = Follow.objects.toggle(request.user, **target)
    text = "You now follow %s." if follows else "You no longer follow %s."
    messages.success(request, text % subject)
    return redirect(back)


def _safe_next(request: HttpRequest, default: str) -> str:
    url = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else default
