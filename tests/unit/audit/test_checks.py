"""What the system checks say about the setting."""

from typing import Any

import pytest
from django.test import override_settings

from audit.checks import check_audit_models, check_field_classes, check_sensitive_names
from audit.registry import configured_models
from content.models import Product


def messages(setting: dict[str, Any]) -> list[str]:
    """Each message's id and text, with this AUDIT_MODELS."""
    with override_settings(AUDIT_MODELS=setting):
        return [f"{message.id}: {message.msg}" for message in check_audit_models()]


def test_project_s_own_setting_is_right() -> None:
    """Nothing is said about a setting that is right."""
    assert check_audit_models() == []


@pytest.mark.parametrize("label", ["content.Prodct", "contents.Product", "Product", "a.b.c"])
def test_unknown_model_is_named(label: str) -> None:
    """A label that no installed model has is an error that says so."""
    assert messages({label: {}}) == [
        f"audit.E001: AUDIT_MODELS names {label!r}, which is not an installed model."
    ]


def test_unknown_field_is_named() -> None:
    """A field that the model doesn't have is an error that says which."""
    assert messages({"content.Product": {"exclude": ["prize"]}}) == [
        "audit.E002: AUDIT_MODELS['content.Product'] excludes 'prize', "
        "which is not a field of that model."
    ]


@pytest.mark.parametrize("option", ["mask", "show"])
def test_unknown_field_of_another_option(option: str) -> None:
    """A slip would leave a secret in clear, or mask what is none."""
    assert messages({"content.Product": {option: ["prize"]}}) == [
        f"audit.E002: AUDIT_MODELS['content.Product'] {option}s 'prize', "
        "which is not a field of that model."
    ]


def test_field_of_two_options() -> None:
    """What is to be done with it can't be known."""
    assert messages({"content.Product": {"mask": ["name"], "show": ["name"]}}) == [
        "audit.E004: AUDIT_MODELS['content.Product'] has 'name' in both 'mask' and 'show'."
    ]


def test_shown_field_that_is_encrypted(settings: Any) -> None:
    """It isn't shown, and the setting that says so is refused."""
    settings.AUDIT_FIELD_CLASSES = {"django.db.models.fields.CharField": "mask"}
    assert messages({"content.Product": {"show": ["name"]}}) == [
        "audit.E005: AUDIT_MODELS['content.Product'] shows 'name', "
        "which is encrypted in its column."
    ]


@pytest.mark.parametrize("given", ["iban", 5, [""], [None]])
def test_sensitive_names(settings: Any, given: Any) -> None:
    """Another shape than a list of names is an error."""
    settings.AUDIT_SENSITIVE_NAMES = given
    (message,) = check_sensitive_names()
    assert message.msg.startswith(f"AUDIT_SENSITIVE_NAMES is {given!r}. Expected a list")


@pytest.mark.parametrize(
    ("given", "start"),
    [
        (["a.B"], "AUDIT_FIELD_CLASSES is ['a.B']. Expected"),
        ({"django.db.models.fields.CharField": "hide"}, "AUDIT_FIELD_CLASSES['django.db.models"),
        ({"django.db.models.CharField": "mask"}, "AUDIT_FIELD_CLASSES names 'django.db.models.C"),
        ({"no.such.Class": "mask"}, "AUDIT_FIELD_CLASSES names 'no.such.Class', which is not"),
        ({5: "mask"}, "AUDIT_FIELD_CLASSES names 5, which is not a class"),
    ],
)
def test_field_classes(settings: Any, given: Any, start: str) -> None:
    """A class is named by where it is defined."""
    settings.AUDIT_FIELD_CLASSES = given
    (message,) = check_field_classes()
    assert message.msg.startswith(start)


@pytest.mark.parametrize("options", [{"exlude": ["price"]}, {"exclude": "price"}, ["price"], None])
def test_wrong_options_are_shown(options: Any) -> None:
    """Options of another shape are an error, and the model isn't audited by guesswork."""
    (message,) = messages({"content.Product": options})
    assert message.startswith(f"audit.E003: AUDIT_MODELS['content.Product'] is {options!r}.")
    with override_settings(AUDIT_MODELS={"content.Product": options}):
        assert list(configured_models()) == []


def test_password_that_would_be_logged_is_a_warning() -> None:
    """Showing the passwords of users is warned of. Otherwise they are masked."""
    assert messages({"auth.User": {}}) == []
    assert messages({"auth.User": {"show": ["password"]}}) == [
        "audit.W001: AUDIT_MODELS['auth.User'] writes password hashes to the log."
    ]


def test_wrong_label_is_left_out() -> None:
    """A wrong entry doesn't keep the project from starting, nor the others from being audited."""
    with override_settings(AUDIT_MODELS={"no.Model": {}, "content.Product": {}}):
        assert list(configured_models()) == [(Product, {})]
