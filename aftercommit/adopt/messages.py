"""Messages that the project sends itself: ``delay()``, ``apply_async()``, ``send_task()``."""

import re
from collections.abc import Iterator

from aftercommit.adopt.facts import Function, Use
from aftercommit.adopt.finding import Finding, Kind
from aftercommit.adopt.origins import Origins
from aftercommit.adopt.project import Project
from aftercommit.adopt.tasks import Tasks, is_third_party
from aftercommit.outbox.call_options import HONOURED
from aftercommit.outbox.task import OutboxTask

SENDING = {
    "delay": "delay_on_commit",
    "apply_async": "apply_async_on_commit",
    "send_task": "call_on_commit",
}
"""Celery's methods that send a message, with the durable ones."""

CANVAS = re.compile(r"celery\.(canvas\.)?(chain|group|chord)\(\)")
"""A canvas that is called, which starts it as ``apply_async()`` does."""

CALLING = ("on_commit", "partial", "sync_to_async", "submit", "run_in_executor")
"""Functions that call what they are given."""

NOT_OPTIONS = ("args", "kwargs", "countdown", "eta", "**", *HONOURED)
"""The keywords of ``apply_async`` that a durable call takes too."""


class Messages:
    """The messages that a project sends, and what to write instead."""

    def __init__(self, project: Project, tasks: Tasks, origins: Origins) -> None:
        self.project, self.tasks, self.origins = project, tasks, origins

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each message that the project sends."""
        for use in self.project.uses:
            if is_sending(use, self.project):
                yield self._finding(use, *self.origins.of(use) or (Kind.MESSAGE, None))

    def _finding(self, use: Use, kind: Kind, start: Function | None) -> Finding:
        advice = " ".join([*self._advice(use, kind), *reached_from(start)])
        return Finding(
            kind, advice, use.source.path, use.line, use.source.line(use.line), end=use.end
        )

    def _advice(self, use: Use, kind: Kind) -> Iterator[str]:
        in_place = "in place of on_commit(…)" if kind is Kind.ON_COMMIT else ""
        yield " ".join(filter(None, ["Write", self._durable(use), in_place])) + "."
        if kind is Kind.TASK_MESSAGE:
            yield "It is stored with the task's own effects."
        refused = [name for name in use.keywords if name not in NOT_OPTIONS]
        if refused and use.last == "apply_async":
            yield f"A durable call doesn't take {', '.join(refused)}: say it at the task."

    def _durable(self, use: Use) -> str:
        """Return the durable call that stands for this one."""
        if CANVAS.fullmatch(use.name):
            return f"{shown(use)}.delay_on_commit()"
        if use.last == "send_task":
            return "call_on_commit(app.tasks[name], args, kwargs)"
        task = self.tasks.task(use.name.rpartition(".")[0])
        if task is None or isinstance(task, OutboxTask) or not is_third_party(task):
            return f"{shown(use)}.{SENDING[use.last]}(…)"
        return f"call_on_commit({shown(use)}, args, kwargs)"


def is_sending(use: Use, project: Project) -> bool:
    """Return whether the place sends a message, or hands over what does."""
    if CANVAS.fullmatch(use.name):
        return use.is_call
    if use.last not in SENDING or use.name.startswith("builtins.super()"):
        return False
    if isinstance(project.find(use.name), Function):
        return False  # the project's own method of this name
    return use.is_call or _is_handed_over(use, project)


def _is_handed_over(use: Use, project: Project) -> bool:
    """Return whether a method that isn't called here is a task's, and no number of seconds."""
    base = use.name.rpartition(".")[0]
    calls_it = use.given_to and use.given_to[-1].rpartition(".")[2] in CALLING
    return bool(calls_it or base.endswith(".s()") or isinstance(project.find(base), Function))


def shown(use: Use) -> str:
    """Return the expression that has the method, as it is written, or what can be said of it."""
    if use.text:
        return use.text
    name = use.name if CANVAS.fullmatch(use.name) else use.name.rpartition(".")[0]
    module = f"{use.source.module}."
    return name.removeprefix(module).removeprefix("celery.").replace("()", "(…)").replace("?", "…")


def reached_from(start: Function | None) -> Iterator[str]:
    """Yield a sentence about the function that leads to a place, if it is another."""
    if start:
        place = f"{start.source.path.name}:{start.line}"
        yield f"(Called from {start.short}, {place}.)"
