"""The copy of the site: who visits it, what is to be found there, and what it holds."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.test import Client

from aftercommit.models import OutboxCall
from core.stack.stack import Stack
from core.stack.supervisor import Interrupted
from core.stack.waiting import wait_until
from tests.people import make_user
from tests.tools.attack.visitor import Visitor
from tests.tools.demo.progress import QuietConsole
from tests.unit.core.visits import ROLES, World, addresses, browser_of, make_world

PATIENCE = 60


def due_calls() -> QuerySet[OutboxCall]:
    """Return the calls that are due or run. A mail that gathers comments is due in minutes."""
    due = Q(status=OutboxCall.Status.PENDING, available_at__lte=Now())
    return OutboxCall.objects.filter(due | Q(status=OutboxCall.Status.RUNNING))


class Target:
    """A site that is up, with a user of each role. A context manager that closes connections."""

    def __init__(self, stack: Stack, console: QuietConsole) -> None:
        self.stack, self.console = stack, console
        self.config = stack.config
        world = make_world()
        self.world: World = world
        # Made once: the worker deletes rows of workers and batches that don't live.
        self.paths = {name: world.path(name) for name in addresses()}
        self._visitors: list[Visitor] = []
        self._roles = {role: self.visitor(browser_of(role)) for role in ROLES}

    def role(self, name: str) -> Visitor:
        """Return the browser of a role, which is logged in, or of "anonymous"."""
        return self._roles[name]

    def visitor(self, logged_in: Client | None = None, address: str = "") -> Visitor:
        """Return a new browser: nobody's, or with the session of Django's test client.

        ``address`` is the address of this machine that it comes from, such as 127.0.0.9.
        """
        cookies = {name: each.value for name, each in (logged_in or Client()).cookies.items()}
        visitor = Visitor(self.config.site_url, cookies, address)
        self._visitors.append(visitor)
        return visitor

    def new_user(self, name: str) -> Visitor:
        """Return the browser of a new user, who is logged in."""
        make_user(name)
        return self.visitor(browser_of(name))

    def mails(self, to: str = "") -> list[EmailMessage]:
        """Return the mails that were sent to this address, or all."""
        files = sorted(self.config.mail_directory.glob("*.eml"))
        mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [mail for mail in mails if not to or to in mail["X-Envelope-To"]]

    def secrets(self) -> dict[str, str]:
        """Return what nobody may learn, by the name of its file in the data folder."""
        names = ("secret_key", "redis_password", "flower_password")
        files = {name: self.config.var_dir / name for name in names}
        return {name: file.read_text().strip() for name, file in files.items() if file.exists()}

    def settle(self) -> None:
        """Return when no call is due and none runs. Raises TimeoutError if calls stay."""
        wait_until(lambda: not due_calls().exists(), PATIENCE, "the calls of the copy")

    def check(self) -> None:
        """Start again what has ended. Raises Interrupted after Ctrl-C."""
        self.stack.check()
        if self.stack.interrupt and self.stack.interrupt.requested:
            raise Interrupted

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for visitor in self._visitors:
            visitor.close()
