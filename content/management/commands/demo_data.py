"""``manage.py demo_data``: something to log in with, to read and to change."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand
from django.db import transaction

from content import demo
from content.models import Article, Category, Comment, Product
from core.accounts.addresses import mark_verified
from core.stack.demo_logins import password_file


class Command(BaseCommand):
    """Make the demo's users, articles, comments and products, and print the logins."""

    help = (
        "Make the demo's users, articles, comments and products; what is there already stays as it "
        "is. Prints the logins; their passwords are this installation's own, and kept in VAR_DIR."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        """Make what is missing, through the signals, so that counters and audit follow."""
        for login in demo.LOGINS:
            make_user(login)
        for slug, name in demo.CATEGORIES.items():
            Category.objects.get_or_create(slug=slug, defaults={"name": name})
        for article in demo.ARTICLES:
            make_article(article)
        for name, price, stock in demo.PRODUCTS:
            Product.objects.get_or_create(name=name, defaults={"price": price, "stock": stock})
        self.print_logins()

    def print_logins(self) -> None:
        """Say who can log in. A user that was there before has a password of its own."""
        self.stdout.write("Demo logins:")
        for login in demo.LOGINS:
            if login.can_log_in:
                made = password_file(Path(settings.VAR_DIR), login.username).exists()
                password = password_of(login) if made else "(the password that it had)"
                role = " (superuser)" if login.is_superuser else ""
                self.stdout.write(f"  {login.username:<8}{password}{role}")


def make_user(login: demo.Login) -> None:
    """Make the user with a bio, unless the name is taken."""
    if User.objects.filter(username=login.username).exists():
        return
    create = User.objects.create_superuser if login.is_superuser else User.objects.create_user
    user = create(login.username, login.email, password_of(login))
    mark_verified(user)
    user.author.bio = login.bio
    user.author.save()


def password_of(login: demo.Login) -> str | None:
    """Return the user's password, or None if nobody logs in as this user."""
    return login.password(Path(settings.VAR_DIR)) if login.can_log_in else None


def make_article(demo_article: demo.DemoArticle) -> None:
    """Make the article with its comments, unless its author has one of that title."""
    author = User.objects.get(username=demo_article.author).author
    article, created = Article.objects.get_or_create(
        author=author,
        title=demo_article.title,
        defaults={
            "category": Category.objects.get(slug=demo_article.category),
            "content": demo_article.content,
            "status": demo_article.status,
        },
    )
    for username, text in demo_article.comments if created else ():
        user = User.objects.get(username=username)
        Comment.objects.create(article=article, user=user, text=text)
