"""The field of a picture: an upload is made anew, whoever saves it."""

from typing import Any

from django import forms
from django.core.files.base import File
from django.db import models
from django.db.models.fields.files import ImageFieldFile

from .pictures import FORMATS, Picture, remake

ACCEPTED = ",".join(f"image/{each.lower()}" for each in FORMATS)


class PictureFormField(forms.FileField):
    """A form's field for a picture. Its clean value is the picture that is kept.

    Django's ImageField lets every decoder of Pillow look at the upload.
    """

    def to_python(self, data: Any) -> Picture | None:
        """Return the upload made anew, or None without one. Raises ValidationError."""
        upload: Any = super().to_python(data)
        return remake(upload) if upload else None

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Have the browser offer such pictures alone."""
        return {**super().widget_attrs(widget), "accept": ACCEPTED}


class PictureFile(ImageFieldFile):
    """A picture in its storage."""

    def save(self, name: str, content: File, save: bool = True) -> None:
        """Store the picture, made anew, under a name of its own. Raises ValidationError."""
        picture = content if isinstance(content, Picture) else remake(content)
        super().save(picture.name or name, picture, save)


class PictureField(models.ImageField):
    """A model's field for a picture. It has the column of an ImageField.

    ``save()`` of a model raises ValidationError for a file that is no picture.
    """

    attr_class = PictureFile

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        """Return the form's field. The length of an upload's name is no matter: it isn't kept."""
        return super().formfield(**{"form_class": PictureFormField, "max_length": None, **kwargs})

    def deconstruct(self) -> Any:
        """Return an ImageField for migrations, because the column is the same."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.ImageField", args, kwargs
