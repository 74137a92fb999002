"""How long a sign-up waits for its address to be verified."""

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef

from core.forgetting.tasks import request_forgetting
from core.retention.kinds import Kind, Rows, register_kind

from .models import Article, Comment


def never_verified(users: Rows) -> Rows:
    """Return the users who have an address, none that is verified, and never did anything."""
    addresses = EmailAddress.objects.filter(user=OuterRef("pk"))
    articles = Article.objects.filter(author__user=OuterRef("pk"))
    comments = Comment.objects.filter(user=OuterRef("pk"))
    unused = users.filter(is_active=True, is_staff=False, is_superuser=False, last_login=None)
    waiting = unused.filter(Exists(addresses)).exclude(Exists(addresses.filter(verified=True)))
    return waiting.exclude(Exists(articles)).exclude(Exists(comments))


def forget_all(users: Rows) -> None:
    """Have each of the users forgotten. Their accounts are closed with this."""
    for user in users:
        request_forgetting(user)


register_kind(Kind("sign_ups", User, "date_joined", never_verified, forget_all, size=100))
