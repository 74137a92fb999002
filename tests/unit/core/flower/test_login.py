"""The login of Flower: what is taken for one, and what is refused before Flower starts."""

import runpy

import pytest
from django.core.exceptions import ImproperlyConfigured

from core.flower.login import given_login

CONFIG = "core.flower.config"


@pytest.mark.parametrize("login", ["me:it", "me:a:b,c @/%'\"", "me@example.com: "])
def test_any_login(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower has it as the only one, also with a comma."""
    monkeypatch.setenv("FLOWER_BASIC_AUTH", login)
    assert given_login({"FLOWER_BASIC_AUTH": login}) == login
    assert runpy.run_module(CONFIG)["basic_auth"] == [login]


@pytest.mark.parametrize(
    "login", ["hidden", "hidden:", ":hidden", " :hidden", "me:größe", "a:b\nc"]
)
def test_fail_when_it_is_none(login: str) -> None:
    """Nobody could log in with it, or with an empty name. The sentence doesn't tell it."""
    with pytest.raises(ImproperlyConfigured, match=r"Expected NAME:PASSWORD") as raised:
        given_login({"FLOWER_BASIC_AUTH": login})
    assert "hidden" not in str(raised.value)


def test_fail_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower would take an empty one, which a header of four equals signs has."""
    assert given_login({}) == ""
    monkeypatch.delenv("FLOWER_BASIC_AUTH", raising=False)
    with pytest.raises(ImproperlyConfigured, match="FLOWER_BASIC_AUTH is not set"):
        runpy.run_module(CONFIG)
