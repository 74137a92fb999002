"""A process that changes things through the ORM in ways that the site's pages don't have.

``python -m tests.tools.chaos.writer --name writer1 --seed 1 --ledger FILE`` goes on until a
SIGTERM, and may be killed at any moment.
"""

import argparse
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  # models need the set-up
from django.db import DatabaseError, connection, transaction  # noqa: E402
from django.db.models import F  # noqa: E402

from content.models import Article, Category, Comment, Product  # noqa: E402
from tests.tools.chaos.caller import Caller, Undone  # noqa: E402
from tests.tools.chaos.ledger import Ledger, Outcome  # noqa: E402

MOST_PRODUCTS = 8
PAUSE = 0.05
"""Seconds; short, so that a kill is likely to come in the middle of something."""


class Writer:
    """Operations on objects that nobody else touches."""

    def __init__(self, name: str, seed: int, ledger: Ledger) -> None:
        self._name = name
        self._random = random.Random(seed)
        self._ledger = ledger
        self._products: list[int] = []
        self._users: list[int] = []
        self._articles: list[int] = []
        caller = Caller(self._random, ledger)
        self._operations: list[Callable[[str], None]] = [
            caller.call_some,
            caller.call_some,
            caller.call_without_transaction,
            caller.keep_all_but_a_savepoint,
            caller.undo,
            self.create_several,
            self.change_several_times,
            self.change_without_transaction,
            self.add_to_stock,
            self.keep_all_but_a_savepoint,
            self.nest_transactions,
            self.fail_after_save,
            self.delete_product,
            self.write_article,
            self.move_article,
            self.delete_user_with_all,
            self.rename_author,
        ]

    def step(self) -> None:
        """One operation, and its outcome in the ledger."""
        operation = self._random.choice(self._operations)
        token = self._ledger.begin()
        try:
            operation(token)
        except Undone:
            self._ledger.end(token, Outcome.ROLLED_BACK)
        except DatabaseError:
            # It may have failed at its COMMIT: whether it is there, only the database knows.
            connection.close()
            self._forget()
        except LookupError:
            self._ledger.end(token, Outcome.ROLLED_BACK)  # there was nothing to do it with
        else:
            self._ledger.end(token, Outcome.COMMITTED)

    def create_several(self, token: str) -> None:
        with transaction.atomic():
            made = [Product.objects.create(name=f"{token} {n}", price="1.50") for n in range(3)]
        self._products += [product.pk for product in made]

    def change_several_times(self, token: str) -> None:
        with transaction.atomic():
            product = Product.objects.select_for_update().get(pk=self._a(self._products))
            for number in range(3):
                product.stock += 1
                product.name = f"{token} step {number}"
                product.save()
            Product.objects.get(pk=product.pk).save()  # changes nothing

    def change_without_transaction(self, token: str) -> None:
        product = Product.objects.get(pk=self._a(self._products))
        product.name, product.is_active = token, not product.is_active
        product.save(update_fields=["name", "is_active"])

    def add_to_stock(self, token: str) -> None:
        product = Product.objects.only("name").get(pk=self._a(self._products))
        product.name = token
        product.stock = F("stock") + self._random.randint(1, 9)
        product.save()

    def keep_all_but_a_savepoint(self, token: str) -> None:
        undone = self._ledger.begin()
        with transaction.atomic():
            product = Product.objects.create(name=f"{token} kept", price="2.00")
            try:
                with transaction.atomic():
                    product.name = f"{undone} undone"
                    product.save()
                    Product.objects.create(name=f"{undone} undone", price="3.00")
                    raise Undone
            except Undone:
                product.name = f"{token} after"
            product.save()
        self._ledger.end(undone, Outcome.ROLLED_BACK)
        self._products.append(product.pk)

    def nest_transactions(self, token: str) -> None:
        undone = self._ledger.begin()
        with transaction.atomic():
            with transaction.atomic():
                product = Product.objects.create(name=f"{token} inner", price="4.00")
                try:
                    with transaction.atomic():
                        with transaction.atomic():
                            Product.objects.create(name=f"{undone} innermost", price="4.00")
                        raise Undone
                except Undone:
                    pass
            product.price = "4.25"
            product.save()
        self._ledger.end(undone, Outcome.ROLLED_BACK)
        self._products.append(product.pk)

    def fail_after_save(self, token: str) -> None:
        with transaction.atomic():
            Product.objects.create(name=token, price="5.00")
            if self._products:
                product = Product.objects.get(pk=self._a(self._products))
                product.name = token
                product.save()
                product.delete()
            raise Undone

    def delete_product(self, token: str) -> None:
        if len(self._products) < MOST_PRODUCTS:
            raise LookupError
        with transaction.atomic():
            Category.objects.create(name=token, slug=token).delete()
            for _ in range(MOST_PRODUCTS // 2):
                number = self._products.pop(0)
                Product.objects.get(pk=number).delete()

    def write_article(self, token: str) -> None:
        with transaction.atomic():
            user = User.objects.create(username=token, email="")
            article = Article.objects.create(
                title=token, author=user.author, content="x", category=self._category()
            )
        self._users.append(user.pk)
        self._articles.append(article.pk)

    def move_article(self, token: str) -> None:
        with transaction.atomic():
            article = Article.objects.get(pk=self._a(self._articles))
            author = User.objects.get(pk=self._a(self._users)).author
            article.title, article.author, article.category = token, author, self._category()
            article.save()
            if self._random.random() < 0.3:
                article.category = self._category()
                article.save()

    def delete_user_with_all(self, token: str) -> None:
        """A user with an article and a comment, which go with them."""
        with transaction.atomic():
            user = User.objects.create(username=token, email="")
            article = Article.objects.create(title=token, author=user.author, content="x")
            Comment.objects.create(article=article, user=user, text=token)
        with transaction.atomic():
            User.objects.get(pk=user.pk).delete()

    def rename_author(self, token: str) -> None:
        with transaction.atomic():
            user = User.objects.select_related("profile", "author").get(pk=self._a(self._users))
            user.first_name = user.profile.location = user.author.bio = token
            user.author.save()
            user.save()  # and with it the profile

    def _a(self, numbers: list[int]) -> int:
        if not numbers:
            raise LookupError
        return self._random.choice(numbers)

    def _category(self) -> Category | None:
        return self._random.choice([None, *Category.objects.order_by("pk")[:3]])

    def _forget(self) -> None:
        """Go on with new objects: which of the old ones are there isn't sure."""
        self._products, self._users, self._articles = [], [], []


def main() -> None:
    """Changes things until it is told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    options = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    writer = Writer(options.name, options.seed, Ledger(options.ledger, options.name))
    while not stopped.wait(PAUSE):
        writer.step()


if __name__ == "__main__":
    main()
