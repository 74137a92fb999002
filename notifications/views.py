"""Follow and unfollow."""

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from content.models import Author, Category

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


def _toggle(request: HttpRequest, **target: Author | Category) -> HttpResponse:
    (subject,) = target.values()
    back = _safe_next(request, subject.get_absolute_url())
    # login_required would come back here after the log-in, with a GET.
    if not request.user.is_authenticated:
        return redirect_to_login(back)
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
