"""Mail and requests that no task makes: a receiver does, or what is handed to on_commit."""

from collections.abc import Iterator

from aftercommit.adopt.effects import MAIL, SERVICE, effect
from aftercommit.adopt.facts import Use
from aftercommit.adopt.finding import Finding, Kind
from aftercommit.adopt.messages import reached_from
from aftercommit.adopt.origins import Origins
from aftercommit.adopt.project import Project

KINDS = (Kind.ON_COMMIT, Kind.RECEIVER)


def direct_effects(project: Project, origins: Origins) -> Iterator[Finding]:
    """Yield a finding for each mail and each request that goes out without a task."""
    for use in project.uses:
        if effect(use, project) not in (MAIL, SERVICE):
            continue
        kind, start = origins.of(use) or (None, None)
        if kind in KINDS:
            yield _finding(use, kind, " ".join([_ADVICE, *reached_from(start)]))


_ADVICE = "Do it in a task with atomic=False, and call the task by delay_on_commit(…)."


def _finding(use: Use, kind: Kind, advice: str) -> Finding:
    source = use.source.line(use.line)
    return Finding(kind, advice, use.source.path, use.line, source, end=use.end)
