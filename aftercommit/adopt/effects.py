"""Tasks with effects outside the database: mail, requests to other services, files, processes."""

import re
from collections.abc import Iterator

from django.core.mail import EmailMessage

from aftercommit.adopt.facts import Class, Function, Use
from aftercommit.adopt.finding import Finding, Kind
from aftercommit.adopt.project import Project
from aftercommit.adopt.tasks import Tasks

MAIL, SERVICE, CACHE = "sends mail", "asks another service", "changes the cache"

CALLS = {
    MAIL: (
        r"django\.core\.mail\.(send_mail|send_mass_mail|mail_admins|mail_managers|get_connection)"
        r"|django\.core\.mail\.(message\.)?(EmailMessage|EmailMultiAlternatives)"
        r"|smtplib\.\w+|.*\.(email_user|send_messages)"
    ),
    SERVICE: (
        r"(requests|httpx)(\.Session\(\)|\.Client\(\)|\.AsyncClient\(\)|\.api)?"
        r"\.(get|post|put|patch|delete|head|options|request|send|stream)"
        r"|(requests\.(Session|session)|httpx\.(Client|AsyncClient)|aiohttp\.(ClientSession|request))"
        r"|urllib\.request\.(urlopen|urlretrieve|build_opener)|urllib3\.(PoolManager|request)"
        r"|http\.client\.HTTPS?Connection|boto3\.(client|resource|[sS]ession\.Session|Session)"
        r"|(ftplib\.FTP(_TLS)?|paramiko\.SSHClient|socket\.create_connection)"
        r"|(stripe|slack_sdk|twilio|openai|anthropic|firebase_admin|pywebpush)\.[\w.]*\w"
        r"|.*\.group_send"
    ),
    "runs a program": (
        r"subprocess\.(run|Popen|call|check_call|check_output)|os\.(system|popen|spawn\w+)"
    ),
    "changes files": (
        r".*\.(write_text|write_bytes|unlink)|(os|shutil)\.(remove|unlink|rename|replace|move|rmtree)"
        r"|shutil\.(copy|copy2|copyfile|copytree)"
        r"|django\.core\.files\.storage\.(default_storage|storages\[\])\.(save|delete|open)"
    ),
    CACHE: (
        r"django\.core\.cache\.(cache|caches\[\])\.a?(set|add|incr|decr|delete|clear|touch)"
        r"(_many|_version)?"
    ),
}
"""For each kind of effect, the dotted names of the calls that have it."""

PATTERNS = {label: re.compile(f"(?:{names})") for label, names in CALLS.items()}

ORDER = list(CALLS)
"""The kinds of effect, those first that nothing takes back."""

OPENING = re.compile(r"(builtins|.*\bio)\.open|pathlib\.Path\(\).*\.open")

WRITING = re.compile(r"[rbtU]*[wax+][rbtU+]*")
"""The modes of ``open()`` in which a file is written."""


def outside_effects(project: Project, tasks: Tasks) -> Iterator[Finding]:
    """Yield a finding for each atomic task that has an effect outside the database."""
    for function in tasks.atomic():
        found = sorted(_effects(function, project), key=lambda each: ORDER.index(each[0]))
        if found:
            yield _finding(function, found)


def _effects(task: Function, project: Project) -> Iterator[tuple[str, Use]]:
    """Yield the effects of the task and of the functions that it calls, the nearest first.

    A cache that a function elsewhere fills keeps what it has read. That is no effect.
    """
    for function in project.reach([task]):
        for use in function.uses:
            label = effect(use, project)
            is_far = label == CACHE and task not in function.around
            is_other = use.runs_elsewhere or use.source.is_silenced(use.line, use.end)
            if label and not is_far and not is_other:
                yield label, use


def effect(use: Use, project: Project) -> str:
    """Return what a call does outside the database, in words; an empty text for nothing known."""
    if OPENING.fullmatch(use.name):
        first = "0" if use.name.startswith("pathlib.") else "1"
        mode = use.texts.get("mode", use.texts.get(first, ""))
        return "changes files" if WRITING.fullmatch(mode) else ""
    for label, pattern in PATTERNS.items():
        if pattern.fullmatch(use.name):
            return label
    if use.is_call and isinstance(project.find(use.name), Class):
        return MAIL if project.is_a(use.name, EmailMessage) else ""
    return ""


def _finding(task: Function, found: list[tuple[str, Use]]) -> Finding:
    label, use = found[0]
    where = "" if use.function is task else f" in {use.function.short}" if use.function else ""
    place = f"{use.source.path.name}:{use.line}"
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return Finding(
        Kind.OUTSIDE_EFFECT,
        f"Say atomic=False: it {label}{where} ({place}{more}).",
        task.source.path,
        task.line,
        task.source.line(task.line),
        end=task.line,
    )
