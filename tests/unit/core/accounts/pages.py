"""What a person does on the pages of accounts, and the mails that come of it."""

import re
from collections.abc import Callable
from typing import Any

from django.test import Client

from tests.factories import PASSWORD

Mails = Callable[[], list[Any]]
"""The type of the fixture."""

NEW = "another-horse-battery"


def sign_up(client: Client, **fields: str) -> Any:
    """Send the form of a sign-up, and return what comes back."""
    name = fields.get("username", "ann")
    data = {"username": name, "email": f"{name}@example.com"}
    data |= {"password1": PASSWORD, "password2": PASSWORD}
    return client.post("/signup/", data | fields)


def log_in(client: Client, login: str, password: str = PASSWORD, **fields: str) -> Any:
    """Send the form of a log-in, and return what comes back."""
    return client.post("/login/", {"login": login, "password": password, **fields})


def change_address(client: Client, email: str, password: str = PASSWORD) -> Any:
    """Ask for another address, and give the password when it is asked for."""
    page = client.post("/account/address/", {"email": email, "action_add": "1"})
    if page.status_code == 302 and "/again/" in page["Location"]:
        return client.post(page["Location"], {"password": password})
    return page


def link_in(message: Any) -> str:
    """Return the path of the link with a key in the mail."""
    (path,) = re.findall(r"http://127\.0\.0\.1:8000(/account/\S+/)", message.body)
    return str(path)


def follow(client: Client, path: str, **fields: str) -> Any:
    """Open the page of a link, and send its form."""
    page = client.get(path, follow=True)
    where = page.redirect_chain[-1][0] if page.redirect_chain else path
    return client.post(where, fields)
