"""How often somebody may do a thing: the rates of each throttle, as ``THROTTLES`` has them."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

DEFAULTS = {
    "login": "10/5m/name+address, 30/1h/name+address, 10/5m/user, 100/1h/name, 300/5m/address",
    "signup": "3/1h/name, 100/1h/address",
    "reset": "3/1h/name, 6/1h/user, 100/1h/address",
    "comment": "10/1m/user, 100/1h/user, 300/1m/address",
    "follow": "30/1m/user, 300/1h/user, 600/1m/address",
    "publish": "10/1m/user, 60/1h/user, 300/1m/address",
    "write": "60/1m/user, 600/1m/address",
    "record": "60/1m/site, 10000/1d/site",
}
"""The rates of each throttle. ``write`` is for each form that has none of its own, and ``record``
for the rows that failed log-ins leave.

Hundreds of people can come from one address: an office, a school, a provider of mobile phones. So
the rates by address are far above what one person does, and those by user are for one person.
"""

PER = ("user", "address", "name", "name+address", "site")
"""What is counted: a user's requests, those from an address, those about a name (the name or mail
address in the form), those about a name from one address, all of the site."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
RATE = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,3})([smhd])/([a-z+]+)", re.ASCII)


class Rate(NamedTuple):
    """At most ``amount`` in ``seconds``, counted for each ``per``."""

    amount: int
    seconds: int
    per: str


Throttles = dict[str, tuple[Rate, ...]]


def read_throttles(text: str, defaults: Mapping[str, str] = DEFAULTS) -> Throttles:
    """Return the rates of each throttle, as ``THROTTLES`` has them or by default.

    ``comment=20/1m/user,500/1m/address; publish=off`` changes two of them. ``off`` lifts all.
    Raises ImproperlyConfigured for any other text.
    """
    given = dict.fromkeys(defaults, "off") if text.strip() == "off" else read_pairs(text)
    for name in given.keys() - defaults.keys():
        raise malformed(text, f"There is no throttle {name!r}, only {', '.join(defaults)}")
    return {name: read_rates(each) for name, each in (dict(defaults) | given).items()}


def read_pairs(text: str) -> dict[str, str]:
    """Return the names with their rates. Raises ImproperlyConfigured."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    names = [name.strip() for name, _, _ in pairs]
    for name, sign, _ in pairs:
        if not sign:
            raise malformed(text, f"{name.strip()!r} has no =")
        if names.count(name.strip()) > 1:
            raise malformed(text, f"{name.strip()!r} is there twice")
    return {name.strip(): rates.strip() for name, _, rates in pairs}


def read_rates(text: str) -> tuple[Rate, ...]:
    """Return the rates between the commas, or none for ``off``. Raises ImproperlyConfigured."""
    if text == "off":
        return ()
    rates = tuple(read_rate(part.strip()) for part in text.split(","))
    if len({rate[1:] for rate in rates}) < len(rates):  # they would share a counter
        raise malformed(text, "Two rates are of the same time and for the same")
    return rates


def read_rate(text: str) -> Rate:
    """Return the rate. Raises ImproperlyConfigured."""
    found = RATE.fullmatch(text)
    if not found or found[4] not in PER:
        raise malformed(text, f"A rate ends with one of {', '.join(PER)}")
    return Rate(int(found[1]), int(found[2]) * UNITS[found[3]], found[4])


def malformed(text: str, why: str) -> ImproperlyConfigured:
    """Return the error that says what was given, and what is expected."""
    return ImproperlyConfigured(
        f"THROTTLES can't be read at {text!r}. {why}. Expected off, or for example "
        "comment=20/1m/user,500/1h/address; publish=off (s, m, h and d are the units of time)."
    )
