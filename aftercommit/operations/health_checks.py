"""Health checks of apps: what an app finds in a database beside the outbox.

An app registers a function, as it does a system check, in a module that its ``ready()`` imports::

    @health_check("deliveries")
    def check_deliveries(using: str) -> Findings | None:
        failed = Delivery.objects.using(using).filter(status="failed").count()
        return Findings({"failed": failed}, notes=["Look at …"] if failed else ())

``/readyz``, ``manage.py outbox health`` and ``outbox status`` call each for each database. None is
for a database that the app has nothing in. A check that raises, hangs or returns anything else is a
problem with its name.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aftercommit.operations.probe import NoAnswer, Probe, start_probe


@dataclass(frozen=True)
class Findings:
    """The findings of a check: figures, problems to alert on, notes for a person to look at."""

    figures: Mapping[str, int | float | str] = field(default_factory=dict)
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()


HealthCheck = Callable[[str], Findings | None]

_checks: dict[str, HealthCheck] = {}


def health_check(name: str) -> Callable[[HealthCheck], HealthCheck]:
    """Register the decorated function as the health check of this name."""

    def register(check: HealthCheck) -> HealthCheck:
        if name in _checks:
            raise ValueError(f"There is a health check {name!r} already. Choose another name.")
        _checks[name] = check
        return check

    return register


Checks = Mapping[str, Probe[Findings | None]]


def as_text(figures: Mapping[str, Any]) -> str:
    """Return the figures in a line: ``"3 failed, 1 uncertain"``."""
    texts = (
        f"{name}: {value}" if isinstance(value, str) else f"{value} {name}"
        for name, value in figures.items()
    )
    return ", ".join(texts) or "no figures"


def start_checks(using: str) -> Checks:
    """Start each check for the database, in a thread of its own."""
    return {
        name: start_probe(partial(_run, check, using), using, name)
        for name, check in _checks.items()
    }


def wait_for_checks(using: str, checks: Checks) -> dict[str, Findings]:
    """Return what each check found that has something to say of the database."""
    found = {name: _wait(name, using, probe) for name, probe in checks.items()}
    return {name: findings for name, findings in found.items() if findings is not None}


def _wait(name: str, using: str, probe: Probe[Findings | None]) -> Findings | None:
    try:
        return probe.wait()
    except NoAnswer as error:
        problem = (
            f"Health check {name!r} of {using!r} can't be read: {error}. "
            "See what the log says of it."
        )
        return Findings({"error": str(error)}, problems=[problem])


def _run(check: HealthCheck, using: str) -> Findings | None:
    """Return what the check found, as plain values. Raises if JSON can't carry them."""
    found = check(using)
    if found is None:
        return None
    if not isinstance(found, Findings):
        raise TypeError(f"Expected Findings or None, got {found!r}.")
    figures = json.loads(json.dumps(dict(found.figures), allow_nan=False))
    return Findings(figures, _sentences(found.problems), _sentences(found.notes))


def _sentences(texts: Sequence[str]) -> list[str]:
    # A string is a sequence of strings too, and a lazy translation can't be joined.
    if isinstance(texts, str):
        raise TypeError(f"Expected a list of sentences, got {texts!r}.")
    return [str(text) for text in texts]
