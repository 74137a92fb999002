"""What a form refuses, and what it says then."""

import datetime
import io
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model, TextField
from django.utils import timezone
from PIL import Image

from content.forms import ArticleForm, CommentForm, ProductForm, ProfileForm
from content.models import Article, Author, Comment, Profile
from content.pictures import MAX_BYTES
from tests.factories import ArticleFactory, CategoryFactory, UserFactory

pytestmark = pytest.mark.django_db


def picture(name: str = "me.png", padding: int = 0) -> SimpleUploadedFile:
    """An upload of one red pixel; ``padding`` makes the file larger than it needs to be."""
    data = io.BytesIO()
    Image.new("RGB", (1, 1), "red").save(data, "PNG")
    return SimpleUploadedFile(name, data.getvalue() + b"\0" * padding, "image/png")


class TestArticleForm:
    """An article."""

    DATA = {"title": "Ferns", "content": "They like shade."}

    def test_success(self) -> None:
        """A title and a text are enough for a draft."""
        form = ArticleForm(self.DATA)
        assert form.is_valid(), form.errors
        assert form.save(commit=False).status == Article.Status.DRAFT

    def test_category_and_status(self) -> None:
        """Both can be chosen."""
        category = CategoryFactory()
        form = ArticleForm(self.DATA | {"category": category.pk, "status": "published"})
        assert form.is_valid(), form.errors
        article = form.save(commit=False)
        assert article.category == category
        assert article.is_published

    @pytest.mark.parametrize("sent", [{}, {"status": ""}])
    def test_keeps_the_status_if_none_is_sent(self, sent: dict[str, str]) -> None:
        """Editing the text of a published article doesn't take it back."""
        form = ArticleForm(self.DATA | sent, instance=ArticleFactory(published=True))
        assert form.is_valid(), form.errors
        assert form.save().is_published

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("title", "  ", "Give the article a title."),
            ("title", "x" * 201, "at most 200 characters"),
            ("content", " \n ", "Write the article's text."),
            ("content", "x" * 100_001, "at most 100000 characters"),
            ("status", "burnt", "Select a valid choice."),
            ("category", "4711", "Select a valid choice."),
        ],
    )
    def test_fail_field(self, field: str, value: str, message: str) -> None:
        """Each error stands at its field and says what is expected."""
        form = ArticleForm(self.DATA | {field: value})
        assert message in form.errors[field][0]


class TestCommentForm:
    """A comment."""

    def test_success(self) -> None:
        """Some text."""
        assert CommentForm({"text": "Nice"}).is_valid()

    @pytest.mark.parametrize(
        ("text", "message"),
        [(" \n", "Write something first."), ("x" * 5_001, "at most 5000 characters")],
    )
    def test_fail_text(self, text: str, message: str) -> None:
        """Nothing, or far too much."""
        assert message in CommentForm({"text": text}).errors["text"][0]


class TestProfileForm:
    """A profile."""

    def test_success(self) -> None:
        """Everything is optional."""
        assert ProfileForm({}, instance=Profile(user=UserFactory())).is_valid()

    def test_today(self) -> None:
        """The youngest user was born today."""
        form = ProfileForm(
            {"birth_date": timezone.localdate()}, instance=Profile(user=UserFactory())
        )
        assert form.is_valid(), form.errors

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("bio", "x" * 501, "at most 500 characters"),
            ("location", "x" * 101, "at most 100 characters"),
            ("birth_date", "yesterday", "Enter a date, such as 1990-12-31."),
        ],
    )
    def test_fail_field(self, field: str, value: str, message: str) -> None:
        """Each error stands at its field and says what is expected."""
        form = ProfileForm({field: value}, instance=Profile(user=UserFactory()))
        assert message in form.errors[field][0]

    def test_fail_future(self) -> None:
        """Nobody is born tomorrow yet."""
        tomorrow = timezone.localdate() + datetime.timedelta(days=1)
        form = ProfileForm({"birth_date": tomorrow}, instance=Profile(user=UserFactory()))
        assert form.errors["birth_date"] == ["A date of birth can't be in the future."]

    def test_avatar(self) -> None:
        """A picture."""
        form = ProfileForm({}, {"avatar": picture()}, instance=Profile(user=UserFactory()))
        assert form.is_valid(), form.errors

    @pytest.mark.parametrize(
        ("upload", "message"),
        [
            (SimpleUploadedFile("me.png", b"no picture"), "This is no PNG, JPEG or WebP picture"),
            (SimpleUploadedFile("me.png", b""), "The submitted file is empty."),
            (picture(padding=MAX_BYTES), "Choose one of at most 2.0 MB."),
        ],
    )
    def test_fail_avatar(self, upload: SimpleUploadedFile, message: str) -> None:
        """What is no picture, of another kind, or too large."""
        form = ProfileForm({}, {"avatar": upload}, instance=Profile(user=UserFactory()))
        assert message in str(form.errors["avatar"][0]).replace("\N{NO-BREAK SPACE}", " ")

    def test_stored_avatar_whose_file_is_gone(self) -> None:
        """The rest of the profile can still be saved."""
        profile = Profile(user=UserFactory(), avatar="avatars/gone.png")
        assert ProfileForm({"bio": "Hello"}, instance=profile).is_valid()


class TestProductForm:
    """A product."""

    DATA = {"name": "Widget", "price": "9.99", "stock": "3", "is_active": "on"}

    def test_success(self) -> None:
        """A name, a price, a stock."""
        assert ProductForm(self.DATA).is_valid()

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("name", "", "Give the product a name."),
            ("price", "", "Enter a price, such as 9.99."),
            ("price", "-1", "A price can't be below 0."),
            ("price", "1.234", "no more than 2 decimal places"),
            ("price", "123456789", "no more than 8 digits before"),
            ("price", "NaN", "Enter a number."),
            ("stock", "-1", "There can't be fewer than 0."),
            ("stock", "many", "Enter a whole number."),
            ("stock", "9999999999", "There can't be more than 2147483647."),
        ],
    )
    def test_fail_field(self, field: str, value: str, message: str) -> None:
        """Each error stands at its field and says what is expected."""
        form = ProductForm(self.DATA | {field: value})
        assert message in form.errors[field][0]


@pytest.mark.parametrize(
    ("model", "field"), [(Article, "content"), (Comment, "text"), (Author, "bio"), (Profile, "bio")]
)
class TestLongTexts:
    """Every text of a person has a limit: in the model, and so in the admin."""

    def test_success(self, model: type[Model], field: str) -> None:
        """As many characters as the column is said to have."""
        column: Any = model._meta.get_field(field)
        column.clean("x" * column.max_length, None)

    def test_fail_one_more(self, model: type[Model], field: str) -> None:
        """One more is refused, with how many there may be."""
        column: Any = model._meta.get_field(field)
        with pytest.raises(ValidationError, match=f"at most {column.max_length} characters"):
            column.clean("x" * (column.max_length + 1), None)


def test_every_text_is_bounded() -> None:
    """No text of the domain is without a limit."""
    models = apps.get_app_config("content").get_models()
    texts = [c for m in models for c in m._meta.get_fields() if isinstance(c, TextField)]
    assert [text for text in texts if text.max_length is None] == []
