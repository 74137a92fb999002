"""``manage.py demo_data``."""

import io
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import call_command

from aftercommit.worker.drain import drain_all
from content import demo
from content.models import Article, Author, Category, Comment, Product

NAMES = [login.username for login in demo.LOGINS if login.can_log_in]


@pytest.fixture(autouse=True)
def var_dir(settings: Any, tmp_path: Path) -> Path:
    """The data folder of a new installation."""
    settings.VAR_DIR = tmp_path
    return tmp_path


def run() -> dict[str, str]:
    """Run the command. Return the logins that it prints."""
    out = io.StringIO()
    call_command("demo_data", stdout=out)
    title, *lines = out.getvalue().splitlines()
    assert title == "Demo logins:"
    return dict(line.split(maxsplit=1) for line in lines)


@pytest.mark.django_db
class TestDemoData:
    """The data, and who can log in."""

    def test_prints_logins_that_work(self) -> None:
        """Each login that is printed logs in."""
        printed = run()
        assert [*printed] == NAMES
        for name, words in printed.items():
            assert authenticate(username=name, password=words.split()[0]) is not None
        assert User.objects.get(username="admin").is_superuser
        assert printed["admin"].endswith(" (superuser)")

    def test_each_installation_its_own(self, settings: Any, var_dir: Path) -> None:
        """The passwords are made up, and others in another installation."""
        first = run()
        assert len(set(first.values())) == len(NAMES)
        User.objects.all().delete()
        settings.VAR_DIR = var_dir / "other"
        settings.VAR_DIR.mkdir()
        assert {*run().values()}.isdisjoint(first.values())

    def test_kept_from_others(self, var_dir: Path) -> None:
        """Only the owner of the folder reads the passwords, which stay the same."""
        first = run()
        files = [var_dir / f"demo_{name}_password" for name in NAMES]
        assert sorted(var_dir.iterdir()) == sorted(files)
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert run() == first

    def test_twice(self) -> None:
        """The second run adds nothing, and takes back nothing that was changed."""
        run()
        models = (User, Article, Author, Category, Comment, Product)
        before = [model.objects.count() for model in models]
        Product.objects.update(stock=1)
        run()
        assert [model.objects.count() for model in models] == before
        assert set(Product.objects.values_list("stock", flat=True)) == {1}

    def test_user_of_that_name(self) -> None:
        """A user that was there before keeps the password, which nobody prints."""
        User.objects.create_user("admin", password="of-my-own")
        assert run()["admin"] == "(the password that it had) (superuser)"
        assert authenticate(username="admin", password="of-my-own") is not None

    def test_fail_others(self) -> None:
        """The authors that nobody is meant to be can't log in."""
        run()
        for login in demo.LOGINS:
            if not login.can_log_in:
                assert not User.objects.get(username=login.username).has_usable_password()

    def test_locked_out(self) -> None:
        """It gives no password to a user that somebody locks out later."""
        run()
        user = User.objects.get(username="admin")
        user.set_unusable_password()
        user.save()
        run()
        user.refresh_from_db()
        assert not user.has_usable_password()


@pytest.mark.django_db(transaction=True)
def test_counters_follow() -> None:
    """The data passes through the signals."""
    run()
    drain_all()
    for author in Author.objects.all():
        assert author.article_count == author.articles.count()
    assert Category.objects.get(slug="engineering").article_count == 3
