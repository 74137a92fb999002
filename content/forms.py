"""The site's forms, with the sentences about input that can't be accepted."""

from typing import Any

from django import forms
from django.utils import timezone

from .models import COMMENT_MAX_LENGTH, CONTENT_MAX_LENGTH, Article, Comment, Product, Profile


class ArticleForm(forms.ModelForm):
    """An article as its author writes it. Its slug is made from the title."""

    content = forms.CharField(
        label="Text",
        max_length=CONTENT_MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 14}),
        help_text="Leave an empty line between paragraphs.",
        error_messages={"required": "Write the article's text."},
    )
    status = forms.ChoiceField(
        choices=[each for each in Article.Status.choices if each[0] != Article.Status.REMOVED],
        required=False,
        initial=Article.Status.DRAFT,
        help_text="Everybody can read a published article. The others aren't public.",
    )

    class Meta:
        model = Article
        fields = ("title", "category", "content", "status")
        error_messages = {"title": {"required": "Give the article a title."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        category = self.fields["category"]
        category.empty_label = "No category"  # type: ignore[attr-defined]

    def clean_status(self) -> str:
        """Return the chosen status, or the article's own if none was sent."""
        return self.cleaned_data["status"] or self.instance.status


class CommentForm(forms.ModelForm):
    """A reader's comment on an article."""

    text = forms.CharField(
        label="Your comment",
        max_length=COMMENT_MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": "Write something first."},
    )

    class Meta:
        model = Comment
        fields = ("text",)


class ProfileForm(forms.ModelForm):
    """A user's profile."""

    class Meta:
        model = Profile
        fields = ("bio", "location", "birth_date", "avatar")
        labels = {"birth_date": "Date of birth"}
        help_texts = {
            "bio": "At most 500 characters.",
            "avatar": "A JPEG, PNG or WebP picture of at most 2 MB.",
        }
        error_messages = {
            "birth_date": {"invalid": "Enter a date, such as 1990-12-31."},
        }
        widgets = {
            "bio": forms.Textarea(attrs={"rows": 5}),
            "birth_date": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["birth_date"].widget.attrs["max"] = timezone.localdate().isoformat()


class ProductForm(forms.ModelForm):
    """A product with its price and its stock."""

    class Meta:
        model = Product
        fields = ("name", "price", "stock", "is_active")
        labels = {"is_active": "For sale"}
        error_messages = {
            "name": {"required": "Give the product a name."},
            "price": {
                "required": "Enter a price, such as 9.99.",
                "min_value": "A price can't be below 0.",
            },
            "stock": {
                "required": "Enter how many there are; 0 if there are none.",
                "min_value": "There can't be fewer than 0.",
                "max_value": "There can't be more than %(limit_value)s.",
            },
        }
