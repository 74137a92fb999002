"""People with a browser each, who do on the site what people do."""

from types import TracebackType
from typing import Self

from tests.containers.mailbox import Mailbox
from tests.tools.demo.site import Browser

PASSWORD = "lantern-brook-77"


class Person:
    """Somebody with an account."""

    def __init__(self, name: str, site_url: str) -> None:
        self.name = name
        self.address = f"{name}@example.com"
        self.browser = Browser(site_url, lambda request: None)

    def join(self, mailbox: Mailbox) -> None:
        """Sign up, follow the link of the mail, and log in."""
        form = self.browser.form("/signup/").filled(username=self.name, email=self.address)
        self.browser.submit(form.filled(password1=PASSWORD, password2=PASSWORD))
        self.browser.submit(self.browser.form(mailbox.verification(self.address)))
        form = self.browser.form("/login/").filled(login=self.name, password=PASSWORD)
        self.browser.submit(form)

    def follow(self, author: "Person") -> None:
        """Follow what the author writes."""
        page = f"/authors/{author.name}/"
        self.browser.submit(self.browser.form(page, f"{page}follow/"))

    def publish(self, title: str) -> str:
        """Write an article and publish it. Return the path of its page."""
        form = self.browser.form("/articles/new/").filled(title=title, content="One line.")
        page = self.browser.submit(form).location
        self.browser.submit(self.browser.form(page, f"{page}publish/"))
        return page

    def comment(self, page: str, text: str) -> None:
        """Comment on an article."""
        self.browser.submit(self.browser.form(page, f"{page}comments/").filled(text=text))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.browser.close()
