"""What the system checks say about the setting."""

from typing import Any

import pytest
from django.test import override_settings

from audit.checks import check_audit_models
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


@pytest.mark.parametrize("options", [{"exlude": ["price"]}, {"exclude": "price"}, ["price"], None])
def test_wrong_options_are_shown(options: Any) -> None:
    """Options of another shape are an error, and the model isn't audited by guesswork."""
    (message,) = messages({"content.Product": options})
    assert message.startswith(f"audit.E003: AUDIT_MODELS['content.Product'] is {options!r}.")
    with override_settings(AUDIT_MODELS={"content.Product": options}):
        assert list(configured_models()) == []


def test_password_that_would_be_logged_is_a_warning() -> None:
    """Auditing users without excluding the password is warned of."""
    assert messages({"auth.User": {"exclude": ["last_login"]}}) == [
        "audit.W001: AUDIT_MODELS['auth.User'] writes password hashes to the log."
    ]


def test_wrong_label_is_left_out() -> None:
    """A wrong entry doesn't keep the project from starting, nor the others from being audited."""
    with override_settings(AUDIT_MODELS={"no.Model": {}, "content.Product": {}}):
        assert list(configured_models()) == [(Product, ())]
