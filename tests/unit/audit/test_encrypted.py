"""Fields whose column hides their value are told, and others aren't."""

import base64
import datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from audit.encrypted import is_encrypted


def scramble(value: Any) -> str:
    """Something that doesn't show the value."""
    return base64.b64encode(str(value).encode()[::-1]).decode()


class Written(models.TextField):
    """Encrypts what it is given, under a name that doesn't say so."""

    def get_prep_value(self, value: Any) -> Any:
        return scramble(super().get_prep_value(value))


class ByConnection(models.TextField):
    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return scramble(value).encode()


class OnSave(models.TextField):
    def pre_save(self, model_instance: Any, add: bool) -> Any:
        return scramble(super().pre_save(model_instance, add))


class Number(models.IntegerField):
    def get_prep_value(self, value: Any) -> Any:
        return scramble(int(value))


class Day(models.DateField):
    def get_prep_value(self, value: Any) -> Any:
        return scramble(super().get_prep_value(value))


class Json(models.JSONField):
    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return scramble(value)


class ByDatabase(models.TextField):
    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "pgp_sym_encrypt(%s, 'key')"


class EncryptedTextField(models.TextField):
    """Tells by its name, whatever it does."""


class Child(Written):
    """Inherits it."""


class Upper(models.CharField):
    def get_prep_value(self, value: Any) -> Any:
        return str(super().get_prep_value(value)).upper()


class Chosen(models.DateTimeField):
    def pre_save(self, model_instance: Any, add: bool) -> Any:
        setattr(model_instance, self.attname, moment := datetime.datetime.now(datetime.UTC))
        return moment


class Picky(models.Field):
    def get_prep_value(self, value: Any) -> Any:
        raise ValueError("neither of these")


class Plain(models.TextField):
    pass


def field_of(cls: type[models.Field], **options: Any) -> models.Field:
    """The field in a model."""
    field = cls(**options)
    field.model = apps.get_model("content.Product")
    field.set_attributes_from_name("it")
    return field


@pytest.mark.parametrize(
    "cls",
    [Written, ByConnection, OnSave, Number, Day, Json, ByDatabase, EncryptedTextField, Child],
)
def test_encrypted(cls: type[models.Field]) -> None:
    """By what becomes of a value, or by the name of the class."""
    assert is_encrypted(field_of(cls))


@pytest.mark.parametrize("cls", [Upper, Chosen, Picky, Plain])
def test_not_encrypted(cls: type[models.Field]) -> None:
    """A field that writes what it shows, or that takes none of the samples."""
    assert not is_encrypted(field_of(cls))


def test_no_field_of_the_project() -> None:
    """Neither Django's fields nor ours are taken for one."""
    fields = [field for model in apps.get_models() for field in model._meta.concrete_fields]
    assert [str(field) for field in fields if is_encrypted(field)] == []


@pytest.mark.parametrize(("cls", "choice"), [(Upper, "mask"), (Child, "show"), (Written, "show")])
def test_setting_decides(settings: Any, cls: type[models.Field], choice: str) -> None:
    """About a class and those that inherit from it. The nearest class counts."""
    settings.AUDIT_FIELD_CLASSES = {f"{cls.__module__}.{cls.__qualname__}": choice}
    assert is_encrypted(field_of(cls)) == (choice == "mask")
    assert is_encrypted(field_of(Written)) == (cls is not Written)
    assert is_encrypted(field_of(Child)) == (choice == "mask")
