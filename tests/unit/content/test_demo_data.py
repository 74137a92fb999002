"""``manage.py demo_data``."""

import io

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command

from content import demo
from content.models import Article, Author, Category, Comment, Product
from core.outbox.drain import drain_all


def run() -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("demo_data", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestDemoData:
    """The data, and who can log in."""

    def test_prints_logins_that_work(self) -> None:
        """Each login that is printed logs in."""
        printed = run()
        for login in demo.LOGINS:
            if login.password:
                assert f"{login.username:<8}{login.password}" in printed
                user = authenticate(username=login.username, password=login.password)
                assert user is not None
        assert User.objects.get(username="admin").is_superuser

    def test_twice(self) -> None:
        """The second run adds nothing, and takes back nothing that was changed."""
        run()
        models = (User, Article, Author, Category, Comment, Product)
        before = [model.objects.count() for model in models]
        Product.objects.update(stock=1)
        run()
        assert [model.objects.count() for model in models] == before
        assert set(Product.objects.values_list("stock", flat=True)) == {1}


@pytest.mark.django_db(transaction=True)
def test_counters_follow() -> None:
    """The data passes through the signals."""
    run()
    drain_all()
    for author in Author.objects.all():
        assert author.article_count == author.articles.count()
    assert Category.objects.get(slug="engineering").article_count == 3
