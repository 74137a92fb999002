"""What hypothesis chooses from: rows, values and new instances."""

from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import F
from hypothesis import strategies as st

from content.models import Article, Category, Comment, Product
from tests.reliability.history import ARTICLE, AUTHOR, CATEGORY, COMMENT, PRODUCT, USER
from tests.reliability.observed import COLUMNS
from tests.reliability.sessions import Session

WHICH = st.integers(0, 1)
PICK = st.integers(0, 7)
LABELS = st.sampled_from((USER, CATEGORY, ARTICLE, COMMENT, PRODUCT))
TITLES = ("Moss", "Fern", "Moss 1")  # "moss-1" is also the second "Moss"
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": st.sampled_from(TITLES),
    "slug": st.just(""),
    "status": st.sampled_from(["draft", "published", "archived"]),
    "name": st.sampled_from(TITLES),
    "price": st.sampled_from([Decimal("1.00"), Decimal("2.50")]),
    "stock": st.sampled_from([0, 1, F("stock") + 1]),
    "first_name": st.sampled_from(["Ida", "Mara"]),  # nobody has an address
    **dict.fromkeys(("content", "text", "bio"), st.sampled_from(["One.", "Two."])),
}


class Rows:
    """The rows that a session sees."""

    def __init__(self, session: Session) -> None:
        self.rows = session.rows

    def pick(self, label: str, number: int) -> int | None:
        """The key of one of the model's rows, if there is one."""
        keys = sorted(pk for model, pk in self.rows if model == label)
        return keys[number % len(keys)] if keys else None


def new_instance(label: str, rows: Rows, number: int, one: int, other: int) -> Any:
    """An instance that has no row yet; None if there is nothing that it could belong to."""
    title, author_id = TITLES[one % len(TITLES)], rows.pick(AUTHOR, one)
    category_id = rows.pick(CATEGORY, other) if other else None
    article_id = rows.pick(ARTICLE, one)
    if label == USER:
        return User(username=f"user{number}")
    if label == CATEGORY:
        return Category(name=title, slug=f"category-{number}")
    if label == ARTICLE and author_id:
        return Article(title=title, author_id=author_id, category_id=category_id)
    if label == COMMENT and article_id:
        # Another session may have deleted the author: nothing refuses that before the commit.
        author = rows.rows.get((AUTHOR, rows.rows[ARTICLE, article_id]["author_id"]))
        return author and Comment(article_id=article_id, user_id=author["user_id"], text="One.")
    return Product(name=title, price=Decimal("1.00"), stock=1)


def set_one(instance: Any, data: Any) -> str:
    """Change one column of the instance; its name."""
    columns = [name for name in COLUMNS[type(instance)] if name in VALUES]
    name = data.draw(st.sampled_from(columns))
    setattr(instance, name, data.draw(VALUES[name]))
    return str(name)
