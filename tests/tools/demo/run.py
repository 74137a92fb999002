"""One run: the story told on a system that is up, what was seen, and what is to be said of it."""

import time
from collections.abc import Iterator
from contextlib import closing

from core.stack.stack import Stack
from core.stack.supervisor import Interrupted
from core.stack.waiting import wait_until
from tests.tools.demo.databases import PostgresReader, Reader, SqliteReader
from tests.tools.demo.drive import PATIENCE, Drive
from tests.tools.demo.forms import PageError
from tests.tools.demo.letters import NoLetterError
from tests.tools.demo.observe import OUTBOX, Observer
from tests.tools.demo.progress import QuietConsole, Screen
from tests.tools.demo.site import SiteError
from tests.tools.demo.story import STAFF, Story
from tests.tools.demo.table import Outcome, footer, problem_lines, table, truth_lines
from tests.tools.demo.truth import Truth, truths


class Run:
    """The outcome of each action and the truths at the end, once ``perform`` has returned."""

    def __init__(self, stack: Stack, screen: Screen, followers: int) -> None:
        self.outcomes: list[Outcome] = []
        self.truths: list[Truth] = []
        self.error = ""
        """What ended the story early."""
        self._suspect = "worker"
        """Whose last lines may say what went wrong."""
        self._stack = stack
        self._screen = screen
        self._followers = followers
        self._intervals: list[float] = []
        self._seconds = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the story was told to its end and every effect happened exactly once."""
        return not (self.error or problem_lines(self.outcomes, self.truths))

    def perform(self) -> None:
        """Has the users do everything, and looks at what came of it."""
        begin = time.monotonic()
        with closing(self._reader()) as database:
            if not self._is_set_up(database):
                return
            with Observer(database, self._stack.config.mail_directory) as observer:
                self._observe(observer)
            self.truths = [*truths(database, observer)]
        self._intervals = observer.intervals
        self._seconds = time.monotonic() - begin

    def report(self, console: QuietConsole) -> Iterator[str]:
        """Everything there is to say at the end; what went wrong last, where it is read first."""
        if self.outcomes:
            yield from ("", *table(self.outcomes), "", *footer(self._intervals), "")
            yield from truth_lines(self.truths)
        problems = problem_lines(self.outcomes, self.truths)
        if self.error:
            problems.append(self.error)
        if not problems:
            yield from ("", f"Every effect happened exactly once, in {self._seconds:.0f} s.")
            return
        yield from ("", "This went wrong:", *(f"  ✗ {problem}" for problem in problems))
        name = self._suspect
        lines = console.last_lines(name) or ["(it wrote nothing)"]
        yield from ("", f"The last lines of {name}:", *(f"  {line}" for line in lines))

    def _observe(self, observer: Observer) -> None:
        drive = Drive(self._stack, observer, self._screen)
        try:
            config = self._stack.config
            password = STAFF.password(config.var_dir)
            mails = config.mail_directory
            with Story(drive, config.site_url, mails, self._followers, password) as story:
                story.tell()
            drive.settle()
        except (SiteError, PageError, NoLetterError) as error:
            self.error = f"{drive.ledger.actions[-1].title}: {error}"
            self._suspect = "web"
        finally:
            self.outcomes = drive.outcomes()

    def _reader(self) -> Reader:
        config = self._stack.config
        if config.database_url:
            return PostgresReader(config.database_url)
        return SqliteReader(config.var_dir / "db.sqlite3")

    def _is_set_up(self, database: Reader) -> bool:
        """Whether what the demo data caused has happened: it is not what this is about."""
        try:
            wait_until(lambda: self._has_settled(database), PATIENCE, "the demo data's effects")
        except TimeoutError as error:
            self.error = str(error)
        return not self.error

    def _has_settled(self, database: Reader) -> bool:
        if self._stack.interrupt and self._stack.interrupt.requested:
            raise Interrupted
        self._stack.check()
        self._screen.working("The demo data's effects …")
        return database.rows(OUTBOX)[0][0] == 0
