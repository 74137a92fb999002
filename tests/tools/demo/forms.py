"""A page as a browser understands it: its forms with what they would send, and its links."""

from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

NOT_SENT = {"submit", "button", "reset", "image", "file"}
Attributes = list[tuple[str, str | None]]


class PageError(Exception):
    """A page lacks what a user would look for on it."""


@dataclass(frozen=True)
class Form:
    """A form as it stands on the page, ``fields`` as it would send them now."""

    action: str
    multipart: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, dict[str, str]] = field(default_factory=dict)
    """The value of each choice by its text, for every field that has some."""

    def filled(self, **values: str) -> "Form":
        """The form with other values, choices by their text; PageError for a field it lacks."""
        if unknown := values.keys() - self.fields.keys():
            raise PageError(f"The form {self.action} has no field {', '.join(sorted(unknown))}.")
        chosen = {name: self._value(name, value) for name, value in values.items()}
        return replace(self, fields=self.fields | chosen)

    def sent_to(self, path: str) -> "Form":
        """The form with another address."""
        return replace(self, action=path)

    def _value(self, name: str, value: str) -> str:
        if name not in self.choices:
            return sent(value)
        if value not in self.choices[name]:
            raise PageError(f"The field {name} of the form {self.action} has no choice {value!r}.")
        return self.choices[name][value]


class Page(HTMLParser):
    """The forms of a page by the path that they are sent to, and its links by their text."""

    def __init__(self, path: str, html: str) -> None:
        super().__init__()
        self.path = path
        self.forms: dict[str, Form] = {}
        self.links: dict[str, str] = {}
        self._form: Form | None = None
        self._select = self._value = ""
        self._chosen = False
        self._text: list[str] = []
        self._name = ""
        self._link = ""
        self.feed(html)
        self.close()

    def form(self, action: str = "") -> Form:
        """The form that is sent to this path; without one, to the page's own."""
        wanted = action or self.path
        if wanted not in self.forms:
            raise PageError(f"The page {self.path} has no form that is sent to {wanted}.")
        return self.forms[wanted]

    def link(self, text: str) -> str:
        """Where the link with this text leads."""
        if text not in self.links:
            raise PageError(f"The page {self.path} has no link {text!r}.")
        return self.links[text]

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("textarea", "option", "a"):
            self._text = []
        if tag == "a":
            self._link = self._resolve(given.get("href", ""))
        elif tag == "form":
            multipart = given.get("enctype") == "multipart/form-data"
            self._form = Form(self._resolve(given.get("action", "")), multipart)
        elif self._form is not None:
            self._start_field(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        text = "".join(self._text)
        if tag == "a" and self._link:
            self.links[" ".join(text.split())] = self._link
            self._link = ""
        elif self._form is not None:
            self._end_field(self._form, tag, text)

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def _resolve(self, reference: str) -> str:
        return urlsplit(urljoin(self.path, reference)).path

    def _start_field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "input" and name:
            self._take_input(form, name, given)
        elif tag == "textarea":
            self._name = name
        elif tag == "select":
            self._select, form.choices[name] = name, {}
        elif tag == "option":
            self._value, self._chosen = given.get("value", ""), "selected" in given

    def _take_input(self, form: Form, name: str, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        ticks = kind in ("checkbox", "radio")
        if kind not in NOT_SENT and (not ticks or "checked" in given):
            form.fields[name] = given.get("value", "on" if ticks else "")

    def _end_field(self, form: Form, tag: str, text: str) -> None:
        if tag == "textarea":
            form.fields[self._name] = sent(text.replace("\r\n", "\n").removeprefix("\n"))
        elif tag == "option" and self._select:
            form.choices[self._select][text.strip()] = self._value
            if self._chosen or self._select not in form.fields:
                form.fields[self._select] = self._value
        elif tag == "select":
            self._select = ""
        elif tag == "form":
            self.forms[form.action] = form
            self._form = None


def sent(text: str) -> str:
    """The text as browsers send it: with CRLF at the end of each line."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n")
