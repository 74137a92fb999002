"""``THROTTLES``: rates as a site has them, or a sentence about what can't be read."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured

from core.front.rates import DEFAULTS, PER, Rate, read_throttles
from core.front.refusal import FOR_WHOM, WHAT
from core.stack.config import ROOT


def test_defaults() -> None:
    """Without the variable all are limited, by address and by the person."""
    throttles = read_throttles("")
    for name, rates in throttles.items() - {("record", throttles["record"])}:
        per = {rate.per for rate in rates}
        assert "address" in per, name
        assert per & {"user", "name"}, name
    assert throttles["login"][0] == Rate(10, 300, "name+address")


def test_no_lock_out_from_one_address() -> None:
    """Somebody at one address can't use up the tries that a name has from all addresses."""
    rates = read_throttles("")["login"]
    (everywhere,) = [rate for rate in rates if rate.per == "name"]
    single = [rate for rate in rates if rate.per == "name+address"]
    assert any(
        rate.seconds == everywhere.seconds and rate.amount * 2 < everywhere.amount
        for rate in single
    )


def test_documented() -> None:
    """The table of the reference has each throttle with its rates."""
    page = (ROOT / "docs/reference/environment.md").read_text()
    assert dict(re.findall(r"^\| `(\w+)` \| `(\d+/[^`]*)` \|", page, re.MULTILINE)) == DEFAULTS


@pytest.mark.parametrize("name", WHAT)
def test_room_for_an_office(name: str) -> None:
    """Many people behind one address can do what one may: at least five of them in a minute."""
    rates = read_throttles("")[name]
    address = min(rate.amount / rate.seconds for rate in rates if rate.per == "address")
    single = min(rate.amount / rate.seconds for rate in rates if rate.per != "address")
    assert address >= 5 * single


def test_pages_have_words() -> None:
    """The page of a refusal can name each throttle and each kind of rate."""
    assert WHAT.keys() == DEFAULTS.keys() - {"record"}
    assert {*FOR_WHOM} == {*PER} - {"site"}


def test_changed() -> None:
    """Some are changed, the others stay, and ``off`` lifts one or all."""
    throttles = read_throttles(" comment=20/2m/user, 5/1d/address ;publish=off;")
    assert throttles["comment"] == (Rate(20, 120, "user"), Rate(5, 86_400, "address"))
    assert throttles["publish"] == ()
    assert throttles["login"] == read_throttles("")["login"]
    assert {*read_throttles("off").values()} == {()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("comments=off", "There is no throttle 'comments', only login, signup"),
        ("comment", "'comment' has no ="),
        ("comment=", "comment=20/1m/user"),
        ("comment=0/1m/user", "comment=20/1m/user"),
        ("comment=-1/1m/user", "comment=20/1m/user"),
        ("comment=5/0m/user", "comment=20/1m/user"),
        ("comment=5/m/user", "comment=20/1m/user"),
        ("comment=5/1w/user", "comment=20/1m/user"),
        ("comment=5/1m/ip", "A rate ends with one of user, address, name, name+address"),
        ("comment=5/1m/user,", "comment=20/1m/user"),
        ("comment=²/1m/user", "comment=20/1m/user"),
        ("comment=5/1m/user,9/60s/user", "Two rates are of the same time and for the same"),
        ("comment=5/1m/user; comment=off", "'comment' is there twice"),
        ("on", "'on' has no ="),
        ("off; comment=off", "'off' has no ="),
    ],
)
def test_fail_malformed(text: str, said: str) -> None:
    """Nothing that can't be read is taken for something else."""
    with pytest.raises(ImproperlyConfigured, match="THROTTLES can't be read at") as refused:
        read_throttles(text)
    assert said in str(refused.value)
