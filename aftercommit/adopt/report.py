"""Look through a project, and say what was found in text or in JSON's types."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aftercommit.adopt.classes import class_findings, third_party_tasks
from aftercommit.adopt.direct import direct_effects
from aftercommit.adopt.effects import outside_effects
from aftercommit.adopt.files import project_files
from aftercommit.adopt.finding import TITLES, Finding, Kind
from aftercommit.adopt.messages import Messages
from aftercommit.adopt.origins import Origins
from aftercommit.adopt.project import Project
from aftercommit.adopt.settings import setting_findings
from aftercommit.adopt.tasks import Tasks

LONGEST_LINE = 100
"""The most characters that are shown of a line."""


@dataclass(frozen=True)
class Report:
    """The findings in a project, and the numbers of what was read and silenced."""

    findings: Sequence[Finding]
    silenced: int
    """The number of findings that a comment in the code silences."""

    files: int
    unreadable: dict[Path, str]
    third_party: Sequence[str]
    """The tasks of other packages that have no durable ``delay_on_commit``."""

    elsewhere: int
    """The number of messages of which nothing shows that they are sent in a transaction."""

    def counts(self) -> dict[str, int]:
        """Return the number of findings of each kind that there is."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind.value: counts[kind] for kind in Kind if counts[kind]}

    def as_json(self) -> dict[str, Any]:
        """Return the report in JSON's types."""
        return {
            "findings": [finding.as_json() for finding in self.findings],
            "counts": self.counts(),
            "silenced": self.silenced,
            "files": self.files,
            "unreadable": {str(path): why for path, why in self.unreadable.items()},
            "third_party_tasks": list(self.third_party),
            "elsewhere": self.elsewhere,
        }

    def as_text(self, base: Path, encoding: str | None = None) -> str:
        """Return the report for a terminal, with the paths as seen from the folder ``base``.

        What the terminal's encoding doesn't have is written as an escape.
        """
        text, encoding = "\n".join(_report_lines(self, base)), encoding or "utf-8"
        return text.encode(encoding, "backslashreplace").decode(encoding)


def look(paths: Sequence[Path] = (), *, everything: bool = False) -> Report:
    """Look through the project's files, or those given, its registered tasks and its settings.

    Messages of which nothing shows a transaction are counted, or listed too with ``everything``.
    """
    settings = list(setting_findings())  # first, because the checks load the views
    refused: dict[Path, str] = {}
    project = Project(project_files(paths, refused))
    tasks = Tasks(project)
    origins = Origins(project, tasks)
    found = [
        *Messages(project, tasks, origins).findings(),
        *direct_effects(project, origins),
        *outside_effects(project, tasks),
        *class_findings(project, tasks),
        *settings,
    ]
    open_ones = [finding for finding in found if not _is_silenced(finding, project)]
    elsewhere = [each for each in open_ones if each.kind is Kind.MESSAGE]
    listed = [each for each in open_ones if everything or each.kind is not Kind.MESSAGE]
    return Report(
        sorted(listed, key=_place),
        len(found) - len(open_ones),
        len(project.files) + len(project.unreadable),
        project.unreadable | refused,
        third_party_tasks(tasks),
        len(elsewhere),
    )


def _report_lines(report: Report, base: Path) -> Iterator[str]:
    for kind, title in TITLES.items():
        found = [finding for finding in report.findings if finding.kind is kind]
        if found:
            yield f"{title} ({len(found)})"
            yield from (line for finding in found for line in _finding_lines(finding, base))
            yield ""
    if report.third_party:
        yield "Tasks of other packages. Call them durably by call_on_commit(task, args, kwargs):"
        yield f"  {', '.join(report.third_party)}"
        yield ""
    yield from (f"Not read: {_shown(path, base)}: {why}" for path, why in report.unreadable.items())
    yield from _summary(report)


def _finding_lines(finding: Finding, base: Path) -> Iterator[str]:
    place = f"{_shown(finding.path, base)}:{finding.line}  " if finding.path else ""
    text = finding.source
    if finding.path and len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE - 1]}…"
    yield f"  {place}{text}"
    yield f"      → {finding.advice}"


def _summary(report: Report) -> Iterator[str]:
    counts = ", ".join(f"{count} {kind}" for kind, count in report.counts().items())
    yield f"{len(report.findings)} found in {report.files} files{counts and ': '}{counts}."
    if report.silenced:
        yield f"{report.silenced} silenced by '# aftercommit: ok'."
    if report.elsewhere:
        yield (
            f"Messages sent where nothing shows a transaction: {report.elsewhere}. They are lost "
            "if the process dies first. --all lists them."
        )


def _is_silenced(finding: Finding, project: Project) -> bool:
    module = finding.path and project.files.get(finding.path)
    return bool(module and module.source.is_silenced(finding.line, finding.end))


def _place(finding: Finding) -> tuple[int, str, int]:
    return list(Kind).index(finding.kind), str(finding.path or ""), finding.line


def _shown(path: Path, base: Path) -> str:
    return str(path.relative_to(base) if path.is_relative_to(base) else path)
