"""Which names tell of a secret."""

from typing import Any

import pytest

from audit.names import is_sensitive


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "old_password", "passwordHash", "pass-word", "Pass Word",
        "stripe_secret_key", "SECRET", "accessToken", "csrfmiddlewaretoken", "refresh_tokens",
        "api_key", "apiKey", "API-Key", "APIKEY", "x-api-key", "Authorization", "Set-Cookie",
        "private_key", "db_pass", "userPIN", "pin", "otp_code", "PWD", "sessionid",
        "aws_credentials", "\uff30\uff21\uff33\uff33\uff37\uff2f\uff32\uff24", "pass\u200bword",
    ],
)  # fmt: skip
def test_secret(name: str) -> None:
    """Whatever its case, its separators and what is around it."""
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "name",
        "shipping",
        "spinner",
        "compass",
        "key",
        "keyword",
        "author",
        "passenger",
        "",
        "42",
        "_",
    ],
)
def test_no_secret(name: str) -> None:
    """A short word counts only where it is a word."""
    assert not is_sensitive(name)


@pytest.mark.parametrize("added", [["iban"], ("I-BAN",), {"iban"}])
def test_setting_adds_names(settings: Any, added: Any) -> None:
    """Of the configuration's own secrets. The others stay."""
    assert not is_sensitive("customer_iban")
    settings.AUDIT_SENSITIVE_NAMES = added
    assert is_sensitive("customerIBAN")
    assert is_sensitive("token")


@pytest.mark.parametrize("wrong", ["iban", 5, [""], [None], ["--"]])
def test_wrong_setting_takes_nothing_away(settings: Any, wrong: Any) -> None:
    """A check says that it is wrong."""
    settings.AUDIT_SENSITIVE_NAMES = wrong
    assert is_sensitive("token")
    assert not is_sensitive("name")
