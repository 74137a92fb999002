"""The story of a new person, in a browser that complains of every script, policy and file."""

from collections.abc import Iterator

import httpx
import pytest

from content.demo import LOGINS
from core.stack.stack import Stack
from tests.browser.person import Person
from tests.browser.postbox import Postbox, link_in, one_click_link
from tests.tools.demo.site import Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.only_on("postgres", reason="a page is the same on each database"),
]

NAME, ADDRESS = "newcomer", "newcomer@mail.example"
PASSWORD, OTHER = "a-long-word-for-a-newcomer-1", "another-long-word-for-them-2"
AUTHOR = next(login for login in LOGINS if login.username == "author")


@pytest.fixture(scope="module")
def author(stack: Stack) -> Iterator[Browser]:
    """An author who is logged in."""
    with Browser(stack.config.site_url, lambda request: None) as browser:
        form = browser.form("/login/")
        password = AUTHOR.password(stack.config.var_dir)
        browser.submit(form.filled(login=AUTHOR.username, password=password))
        yield browser


def publish(author: Browser, title: str) -> None:
    """Have the author publish an article."""
    form = author.form("/articles/new/")
    author.submit(form.filled(title=title, content="Some text.", status="Published"))


def log_in(person: Person, login: str, password: str) -> None:
    """Log in by a name or an address."""
    person.open("/login/")
    person.fill(login=login, password=password)
    person.click("Log in")


def test_story(person: Person, postbox: Postbox, author: Browser) -> None:
    """Sign up, verify, log in, follow, get a mail, unsubscribe, reset the password, log out."""
    sign_up(person, postbox)
    log_in(person, NAME, PASSWORD)
    assert person.sees("Log out")
    person.click("Log out")
    log_in(person, ADDRESS, PASSWORD)
    unsubscribe_by_the_page(person, postbox, author)
    unsubscribe_by_the_mail_program(person, postbox, author)
    see_sessions(person)
    person.click("Log out")
    reset_the_password(person, postbox)
    log_in(person, NAME, OTHER)
    assert person.sees("Log out")


def sign_up(person: Person, postbox: Postbox) -> None:
    """Sign up, and follow the link of the mail."""
    person.open("/")
    person.click("Sign up")
    person.fill(username=NAME, email=ADDRESS, password1=PASSWORD, password2=PASSWORD)
    person.click("Sign up")
    assert person.sees("We have sent you a mail.")
    mail = postbox.wait_for(ADDRESS, "Verify your address")
    person.open(link_in(mail, "/account/address/verify/"))
    person.click("Yes, it is mine")


def follow(person: Person) -> None:
    """Follow the author."""
    person.open(f"/authors/{AUTHOR.username}/")
    person.click("Follow")
    assert person.sees(f"You now follow {AUTHOR.username}.")


def unsubscribe_by_the_page(person: Person, postbox: Postbox, author: Browser) -> None:
    """Get the mail of an article, open the link in its text, and click the button."""
    follow(person)
    publish(author, "First for the newcomer")
    mail = postbox.wait_for(ADDRESS, "First for the newcomer")
    person.open(link_in(mail, "/unsubscribe/"))
    person.click("Unsubscribe")
    assert person.sees("Done.")
    person.open("/following/")
    assert not person.sees("Unfollow")


def unsubscribe_by_the_mail_program(person: Person, postbox: Postbox, author: Browser) -> None:
    """Have the mail program send its POST, which has no cookie (RFC 8058)."""
    follow(person)
    publish(author, "Second for the newcomer")
    mail = postbox.wait_for(ADDRESS, "Second for the newcomer")
    data = {"List-Unsubscribe": "One-Click"}
    assert httpx.post(one_click_link(mail), data=data, trust_env=False).status_code == 200
    person.open("/following/")
    assert not person.sees("Unfollow")


def see_sessions(person: Person) -> None:
    """See where one is logged in."""
    person.open("/account/sessions/")
    assert person.sees("here")
    assert person.sees("127.0.0.1")


def reset_the_password(person: Person, postbox: Postbox) -> None:
    """Have a link sent, and set another password."""
    person.open("/account/password/reset/")
    person.fill(email=ADDRESS)
    person.click("Send the link")
    mail = postbox.wait_for(ADDRESS, "Set another password")
    person.open(link_in(mail, "/account/password/reset/"))
    person.fill(password1=OTHER, password2=OTHER)
    person.click("Change the password")
    postbox.wait_for(ADDRESS, "Your password was changed")


def test_admin(person: Person, stack: Stack) -> None:
    """The admin works under the policy: its lists, its forms, its scripts."""
    admin = LOGINS[0]
    log_in(person, admin.username, admin.password(stack.config.var_dir))
    for page in ("", "content/article/", "content/article/add/", "auth/user/1/change/"):
        person.open(f"/admin/{page}")
        assert person.sees("Django administration")
    person.open("/admin/aftercommit/outboxcall/")
    assert person.sees("Django administration")
