"""What the users do, from signing up to deleting: the demo's script, told to the ledger."""

from contextlib import ExitStack
from pathlib import Path

from content.demo import CATEGORIES, LOGINS
from tests.tools.demo.drive import Drive
from tests.tools.demo.ledger import CREATE, DELETE, UPDATE, Article, Request, address
from tests.tools.demo.letters import link_for
from tests.tools.demo.site import FORBIDDEN, OK, Browser

AUTHOR, PASSWORD = "ada", "a-password-for-the-demo-only"
STAFF = LOGINS[0]
CATEGORY, OTHER_CATEGORY = [*CATEGORIES][:2]
TITLE, NEW_TITLE = "The first ferry of the day", "The first ferry, and the last"
TEXT = "At five in the morning nobody speaks.\n\nThe coffee does the talking."
PRODUCT = "Ferry ticket, return"


class Story:
    """The users, each with a browser of their own; a context manager that closes them.

    ``password`` is that of the one who works for the site.
    """

    def __init__(
        self, drive: Drive, site_url: str, mails: Path, followers: int, password: str
    ) -> None:
        self._drive, self._ledger = drive, drive.ledger
        self._site_url, self._mails, self._password = site_url, mails, password
        self._open = ExitStack()
        self._author, self._staff = self._browser(), self._browser()
        self._readers = {f"reader{n:02}": self._browser() for n in range(1, followers + 1)}
        self._first, *_ = self._readers
        self._article = Article(TITLE, "", AUTHOR, CATEGORY)

    def tell(self) -> None:
        """Everything, in order."""
        self._join()
        self._write()
        self._read()
        self._rework()
        self._sell()

    def _join(self) -> None:
        with self._drive.action("The author signs up"):
            self._sign_up(self._author, AUTHOR)
        with self._drive.action(f"{len(self._readers)} readers sign up"):
            for name, browser in self._readers.items():
                self._sign_up(browser, name)
        with self._drive.action("All follow the link of a mail"):
            for name, browser in [(AUTHOR, self._author), *self._readers.items()]:
                browser.submit(browser.form(link_for(self._mails, address(name))))
                self._log_in(browser, name, PASSWORD)
        with self._drive.action("They follow author or category"):
            for number, (name, browser) in enumerate(self._readers.items()):
                self._follow(name, browser, author=number % 3 != 1, category=number % 3 != 0)
        with self._drive.action("The author fills in a profile"):
            form = self._author.form("/profile/")
            reply = self._author.submit(form.filled(bio="Takes ferries.", location="Kiel"))
            self._ledger.profile_changed(reply.request, AUTHOR, ["bio", "location"])

    def _write(self) -> None:
        article = self._article
        with self._drive.action("A draft is written"):
            form = self._author.form("/articles/new/")
            form = form.filled(title=TITLE, content=TEXT, category=CATEGORIES[CATEGORY])
            reply = self._author.submit(form)
            article.slug = reply.location.split("/")[2]
            self._ledger.wrote(reply.request, article)
        with self._drive.action("It is saved without a change"):
            self._edit()
        with self._drive.action("It is published"):
            form = self._author.form(self._page, f"{self._page}publish/")
            self._ledger.published(self._author.submit(form).request, article)
        with self._drive.action("A second click on “Publish”"):
            self._author.submit(form)

    def _read(self) -> None:
        article, reader = self._article, self._readers[self._first]
        with self._drive.action(f"{len(self._readers)} readers open it"):
            for browser in self._readers.values():
                self._ledger.viewed(browser.open(self._page).request, article)
        with self._drive.action("A reader comments"):
            self._comment(reader, self._first, "I was on it. It was late.")
        with self._drive.action("The author answers"):
            self._comment(self._author, AUTHOR, "It always is.")
        with self._drive.action("A reader tries to delete it"):
            # No page has this form for a reader: one that leads elsewhere, sent to this address.
            form = reader.form("/", "/logout/").sent_to(f"{self._page}delete/")
            reader.submit(form, expect=FORBIDDEN)

    def _rework(self) -> None:
        article, reader = self._article, self._readers[self._first]
        with self._drive.action("Title, text, category change"):
            category = CATEGORIES[OTHER_CATEGORY]
            request = self._edit(title=NEW_TITLE, content=f"{TEXT}\n\nSo do I.", category=category)
            self._ledger.rewrote(request, article, NEW_TITLE, OTHER_CATEGORY)
        with self._drive.action("It is archived"):
            self._ledger.archived(self._edit(status="Archived"), article)
        with self._drive.action("One reader unfollows"):
            reader.submit(reader.form(f"/authors/{AUTHOR}/", f"/authors/{AUTHOR}/follow/"))
            self._ledger.unfollowed(self._first, author=AUTHOR)
        with self._drive.action("It is published again"):
            form = self._author.form(self._page, f"{self._page}publish/")
            self._ledger.published(self._author.submit(form).request, article)
        with self._drive.action("It is deleted, comments too"):
            reply = self._author.submit(self._author.form(f"{self._page}delete/"))
            self._ledger.deleted(reply.request, article)

    def _sell(self) -> None:
        staff, name = self._staff, STAFF.username
        with self._drive.action("Staff logs in"):
            self._log_in(staff, name, self._password)
        with self._drive.action("A product is created"):
            form = staff.form("/products/new/")
            reply = staff.submit(form.filled(name=PRODUCT, price="24.90", stock="50"))
            self._ledger.product(reply.request, CREATE, PRODUCT, name)
        edit = staff.open("/products/").page.link(f"Edit {PRODUCT}")
        with self._drive.action("Its price and stock change"):
            request = staff.submit(staff.form(edit).filled(price="19.90", stock="80")).request
            self._ledger.product(request, UPDATE, PRODUCT, name, ["price", "stock"])
        with self._drive.action("The same is saved once more"):
            staff.submit(staff.form(edit))
        with self._drive.action("A price below 0 is refused"):
            staff.submit(staff.form(edit).filled(price="-1"), expect=OK)
        with self._drive.action("The product is deleted"):
            request = staff.submit(staff.form(edit.replace("/edit/", "/delete/"))).request
            self._ledger.product(request, DELETE, PRODUCT, name)

    @property
    def _page(self) -> str:
        return f"/articles/{self._article.slug}/"

    def _sign_up(self, browser: Browser, name: str) -> None:
        form = browser.form("/signup/").filled(username=name, email=address(name))
        reply = browser.submit(form.filled(password1=PASSWORD, password2=PASSWORD))
        self._ledger.signed_up(reply.request, name)

    def _log_in(self, browser: Browser, name: str, password: str) -> None:
        browser.submit(browser.form("/login/").filled(login=name, password=password))

    def _follow(self, name: str, browser: Browser, author: bool, category: bool) -> None:
        if author:
            browser.submit(browser.form(f"/authors/{AUTHOR}/", f"/authors/{AUTHOR}/follow/"))
            self._ledger.followed(name, author=AUTHOR)
        if category:
            page = f"/categories/{CATEGORY}/"
            browser.submit(browser.form(page, f"{page}follow/"))
            self._ledger.followed(name, category=CATEGORY)

    def _edit(self, **values: str) -> Request:
        form = self._author.form(f"{self._page}edit/").filled(**values)
        return self._author.submit(form).request

    def _comment(self, browser: Browser, name: str, text: str) -> None:
        opened = browser.open(self._page)
        self._ledger.viewed(opened.request, self._article)
        reply = browser.submit(opened.page.form(f"{self._page}comments/").filled(text=text))
        number = reply.location.rpartition("#comment-")[2]
        self._ledger.commented(reply.request, self._article, number, name)

    def _browser(self) -> Browser:
        return self._open.enter_context(Browser(self._site_url, self._drive.made))

    def __enter__(self) -> "Story":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()
