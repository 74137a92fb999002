"""The site's users: each a thread with a browser, doing what it happens to think of."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import httpx

from content.demo import CATEGORIES, LOGINS
from core.stack.waiting import wait_until
from tests.tools.chaos.ledger import Ledger, Outcome
from tests.tools.demo.forms import PageError
from tests.tools.demo.site import OK, Browser, Reply, SiteError

T = TypeVar("T")

STAFF = LOGINS[0]
PASSWORD = "a-password-for-the-chaos-only"
PUBLIC = 4
"""How many articles a user publishes for the others to read; they stay as they are."""
PRIVATE = 6
PAUSE = (0.05, 0.25)
PATIENCE = 60.0
"""Seconds in which a mail arrives before anything is broken."""


class Answer(NamedTuple):
    """A request as its client saw it; ``status`` is 0 if it was not answered."""

    what: str
    started: float
    ended: float
    status: int
    problem: str

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started


class TimedBrowser(Browser):
    """A browser that takes down every request, also one that fails."""

    def __init__(self, site_url: str, answers: list[Answer]) -> None:
        super().__init__(site_url, lambda request: None)
        self._answers = answers
        self._status = 0
        self._client.event_hooks["response"] = [self._note]

    def _note(self, response: httpx.Response) -> None:
        self._status = response.status_code

    def _send(self, request: httpx.Request, expect: int) -> Reply:
        self._status = 0
        started, problem = time.monotonic(), ""
        try:
            return super()._send(request, expect)
        except SiteError as error:
            problem = str(error)
            raise
        finally:
            what = f"{request.method} {request.url.path}"
            ended = time.monotonic()
            self._answers.append(Answer(what, started, ended, self._status, problem))


class Article:
    """An article as its author knows it."""

    def __init__(self, slug: str, status: str) -> None:
        self.page = f"/articles/{slug}/"
        self.status = status


class Site:
    """What the users know of each other, and what they did."""

    def __init__(self, url: str, password: str, links: Mapping[str, str]) -> None:
        self.url = url
        self.links = links
        """What the mails to new users lead to, by their addresses."""
        self.password = password
        """The password of the one who works for the site."""
        self.answers: list[Answer] = []
        self.public: dict[str, list[Article]] = {}
        """The articles of each user that nobody hides or deletes."""
        self.operations = 0
        self.errors: list[BaseException] = []


class Client(threading.Thread):
    """One user, who is staff in a second browser."""

    def __init__(self, name: str, seed: int, site: Site, ledger: Ledger) -> None:
        super().__init__(name=name, daemon=True)
        self._site = site
        self._ledger = ledger
        self._random = random.Random(seed)
        self._stopped = threading.Event()
        self._author = TimedBrowser(site.url, site.answers)
        self._staff = TimedBrowser(site.url, site.answers)
        self._products: list[str] = []
        self._articles: list[Article] = []
        site.public[name] = []
        self._operations: list[tuple[Callable[[], None], int]] = [
            (self.create_product, 3),
            (self.edit_product, 5),
            (self.save_product_unchanged, 1),
            (self.refuse_product, 1),
            (self.delete_product, 2),
            (self.write_article, 4),
            (self.edit_article, 3),
            (self.publish_article, 3),
            (self.archive_article, 1),
            (self.delete_article, 2),
            (self.view_article, 6),
            (self.comment, 4),
            (self.follow_category, 1),
            (self.edit_profile, 1),
        ]

    def join_site(self) -> None:
        """Sign up, log in, and publish the first article."""
        form = self._author.form("/signup/")
        address = f"{self.name}@example.com"
        filled = form.filled(
            username=self.name, email=address, password1=PASSWORD, password2=PASSWORD
        )
        self._author.submit(filled)
        wait_until(lambda: address in self._site.links, PATIENCE, f"the mail to {address}")
        self._author.submit(self._author.form(self._site.links[address]))
        self._log_in(self._author, self.name, PASSWORD)
        self._log_in(self._staff, STAFF.username, self._site.password)
        self._publish_public()

    def _log_in(self, browser: Browser, name: str, password: str) -> None:
        browser.submit(browser.form("/login/").filled(login=name, password=password))

    def follow_all(self) -> None:
        """Follow all other users, for good."""
        for name in self._site.public:
            if name != self.name:
                page = f"/authors/{name}/"
                self._author.submit(self._author.form(page, f"{page}follow/"))

    def run(self) -> None:
        """Do one thing after the other until it is told to stop."""
        operations, weights = zip(*self._operations, strict=True)
        while not self._stopped.wait(self._random.uniform(*PAUSE)):
            (operation,) = self._random.choices(operations, weights)
            try:
                operation()
                self._site.operations += 1
            except (SiteError, PageError):
                continue  # its request says so, and the database whether it was done
            except Exception as error:  # noqa: BLE001  # told at the end of the run
                self._site.errors.append(error)

    def stop(self) -> None:
        """End after what is being done."""
        self._stopped.set()

    def close(self) -> None:
        """Close its connections."""
        self._author.close()
        self._staff.close()

    # --- Products ---------------------------------------------------------------------------
    def create_product(self) -> None:
        """Create one, and remember where it is edited."""
        if len(self._products) >= PRIVATE:
            return self.delete_product()
        token = self._ledger.begin()
        form = self._staff.form("/products/new/")
        self._staff.submit(form.filled(name=f"0 {token}", price="10.00", stock="1"))
        self._ledger.end(token, Outcome.COMMITTED)
        # The list is sorted by name, and its first page has the products of these users.
        self._products.append(self._staff.open("/products/").page.link(f"Edit 0 {token}"))
        return None

    def edit_product(self) -> None:
        """Change its name, price and stock."""
        if not self._products:
            return self.create_product()
        price = f"{self._random.randint(1, 9999) / 100:.2f}"
        stock = str(self._random.randint(0, 99))
        return self._change(
            self._staff, self._pick(self._products), name="0 {}", price=price, stock=stock
        )

    def save_product_unchanged(self) -> None:
        """Press "Save" without a change."""
        if self._products:
            self._staff.submit(self._staff.form(self._pick(self._products)))

    def refuse_product(self) -> None:
        """Ask for a price that isn't accepted."""
        if not self._products:
            return
        token = self._ledger.begin()
        form = self._staff.form(self._pick(self._products))
        self._staff.submit(form.filled(name=f"0 {token}", price="-1"), expect=OK)
        self._ledger.end(token, Outcome.ROLLED_BACK)

    def delete_product(self) -> None:
        """Delete one."""
        if self._products:
            page = self._take(self._products).replace("/edit/", "/delete/")
            self._staff.submit(self._staff.form(page))

    # --- Articles ---------------------------------------------------------------------------
    def write_article(self) -> None:
        """A draft of their own, or one for the others."""
        if len(self._public) < PUBLIC and self._random.random() < 0.3:
            self._publish_public()
        elif len(self._articles) < PRIVATE:
            status = self._random.choice(["Draft", "Published"])
            self._articles.append(self._write(status))
        else:
            self.delete_article()

    def edit_article(self) -> None:
        """Change title, text and category of any article of theirs."""
        article = self._pick([*self._articles, *self._public])
        category = self._random.choice([*CATEGORIES.values(), "No category"])
        self._change(self._author, f"{article.page}edit/", title="{}", category=category)

    def publish_article(self) -> None:
        """Publish one that isn't."""
        hidden = [each for each in self._articles if each.status != "Published"]
        if hidden:
            article = self._pick(hidden)
            form = self._author.form(article.page, f"{article.page}publish/")
            article.status = "Published"  # also if no answer comes: it may be
            self._author.submit(form)

    def archive_article(self) -> None:
        """Hide one."""
        if self._articles:
            article = self._pick(self._articles)
            article.status = "Archived"
            self._change(self._author, f"{article.page}edit/", title="{}", status="Archived")

    def delete_article(self) -> None:
        """Delete one, with its comments."""
        if self._articles:
            article = self._take(self._articles)
            self._author.submit(self._author.form(f"{article.page}delete/"))

    def view_article(self) -> None:
        """Read somebody's article."""
        self._author.open(self._any_public().page)

    def comment(self) -> None:
        """Say something about somebody's article, or one of their own."""
        hidden = [each for each in self._articles if each.status == "Published"]
        article = self._any_public()
        if hidden and self._random.random() < 0.3:
            article = self._pick(hidden)
        token = self._ledger.begin()
        form = self._author.form(article.page, f"{article.page}comments/")
        self._author.submit(form.filled(text=token))
        self._ledger.end(token, Outcome.COMMITTED)

    # --- People -----------------------------------------------------------------------------
    def follow_category(self) -> None:
        """Follow a category, or no longer."""
        page = f"/categories/{self._random.choice([*CATEGORIES])}/"
        self._author.submit(self._author.form(page, f"{page}follow/"))

    def edit_profile(self) -> None:
        """Tell something else about themselves."""
        self._change(self._author, "/profile/", bio="{}", location=self.name)

    # --- How --------------------------------------------------------------------------------
    @property
    def _public(self) -> list[Article]:
        return self._site.public[self.name]

    def _any_public(self) -> Article:
        return self._pick([article for each in self._site.public.values() for article in each])

    def _publish_public(self) -> None:
        self._public.append(self._write("Published"))

    def _write(self, status: str) -> Article:
        token = self._ledger.begin()
        category = self._random.choice([*CATEGORIES.values(), "No category"])
        form = self._author.form("/articles/new/")
        filled = form.filled(title=token, content="Text.", category=category, status=status)
        reply = self._author.submit(filled)
        self._ledger.end(token, Outcome.COMMITTED)
        return Article(reply.location.split("/")[2], status)

    def _change(self, browser: Browser, page: str, **values: str) -> None:
        """Fill in the form of the page; {} stands for the token."""
        token = self._ledger.begin()
        form = browser.form(page)
        browser.submit(form.filled(**{name: text.format(token) for name, text in values.items()}))
        self._ledger.end(token, Outcome.COMMITTED)

    def _pick(self, things: list[T]) -> T:
        return self._random.choice(things)

    def _take(self, things: list[T]) -> T:
        return things.pop(self._random.randrange(len(things)))
