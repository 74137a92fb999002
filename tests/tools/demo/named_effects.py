"""Effects, named alike by whoever says that one is due and by whoever sees one happen."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What an effect is, in the order in which the table shows them."""

    AUDIT = "audit"
    COUNTER = "counter"
    MAIL = "mail"


class Effect(NamedTuple):
    """One effect. Two that are equal are the same effect: one of them is one too many."""

    kind: Kind
    key: tuple[str, ...]

    def __str__(self) -> str:
        return SENTENCES[self.kind].format(*self.key)


SENTENCES = {
    Kind.AUDIT: "audit row {2} {1} “{3}” by {4} ({5}), request {0}",
    Kind.COUNTER: "counter {0} {1}",
    Kind.MAIL: "mail to {0}, “{1}”",
}
NOBODY = "nobody"
MINUS = "\N{MINUS SIGN}"


def audit(
    request: str, model: str, action: str, about: str, actor: str, fields: Iterable[str] = ()
) -> Effect:
    """A row of the audit log: in which request who did what to which fields of which object."""
    named = ", ".join(sorted(fields)) or "all fields"
    return Effect(Kind.AUDIT, (request, model, action, about, actor or NOBODY, named))


def counter(name: str, step: int) -> Effect:
    """A counter that moves by one, up or down."""
    return Effect(Kind.COUNTER, (name, f"{step:+d}"))


def mail(to: str, subject: str) -> Effect:
    """A mail."""
    return Effect(Kind.MAIL, (to, subject))


def label(effect: Effect, count: int) -> str:
    """What so many effects of this sort are called in a table: "12 mails", "views +12"."""
    if effect.kind is Kind.COUNTER:
        name, step = effect.key
        return f"{name.partition(':')[0]} {int(step) * count:+d}".replace("-", MINUS)
    noun = "audit row" if effect.kind is Kind.AUDIT else "mail"
    return f"{count} {noun}{'' if count == 1 else 's'}"


def sort_of(effect: Effect) -> tuple[str, ...]:
    """What effects have in common that share a row of the table."""
    order = str([*Kind].index(effect.kind))
    return (order, *effect.key) if effect.kind is Kind.COUNTER else (order,)
