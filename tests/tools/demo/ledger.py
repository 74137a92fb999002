"""What is due: for everything that a user did, the effects that must follow, each exactly once.

It knows nothing but what the users did. What follows from it is written down here a second time,
independently of the site's code.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.tools.demo.letters import VERIFY
from tests.tools.demo.named_effects import Effect, audit, counter, mail

CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"


class Request(NamedTuple):
    """A request as its client saw it; times are ``time.monotonic()``'s."""

    id: str
    method: str
    started: float
    responded: float

    @property
    def milliseconds(self) -> float:
        """From the first byte sent to the last byte received."""
        return (self.responded - self.started) * 1000


class Due(NamedTuple):
    """An effect that must follow a request, once."""

    effect: Effect
    request: Request


@dataclass
class Action:
    """One thing that users did, with the requests it took and what is due for them."""

    title: str
    started: float
    requests: list[Request] = field(default_factory=list)
    dues: list[Due] = field(default_factory=list)
    waited: float = 0.0
    """Seconds that its effects were waited for."""

    @property
    def timed(self) -> list[Request]:
        """The requests that the action is about: the forms sent, or the pages if there are none."""
        return [each for each in self.requests if each.method == "POST"] or self.requests


@dataclass
class Article:
    """An article as its author knows it; ``category`` is a slug."""

    title: str
    slug: str
    author: str
    category: str
    published: bool = False
    told: bool = False
    """Whether followers were told of it. They are told once."""
    comments: list[str] = field(default_factory=list)
    """The number of each, as its address on the page has it."""


def address(username: str) -> str:
    """The address that a user signs up with."""
    return f"{username}@example.com"


class Ledger:
    """Takes down what users do, as one method each, and what is due for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.actions: list[Action] = []
        self._clock = clock
        self._follows: set[tuple[str, str]] = set()

    def begin(self, title: str) -> Action:
        """The action that requests and dues belong to from now on."""
        self.actions.append(Action(title, self._clock()))
        return self.actions[-1]

    def made(self, request: Request) -> None:
        """A request was answered."""
        self.actions[-1].requests.append(request)

    def end_of(self, action: Action) -> float:
        """When the next action began; infinity for the last one."""
        position = self.actions.index(action) + 1
        return self.actions[position].started if position < len(self.actions) else float("inf")

    def signed_up(self, request: Request, name: str) -> None:
        """A user, with the profile and the author that belong to them; nobody was logged in."""
        self._log(request, CREATE, "auth.user", name, actor="")
        self._log(request, CREATE, "content.profile", f"{name}'s profile", actor="")
        self._log(request, CREATE, "content.author", name, actor="")
        self._due(request, mail(address(name), VERIFY))

    def profile_changed(self, request: Request, name: str, fields: Iterable[str]) -> None:
        """A user's own profile."""
        self._log(request, UPDATE, "content.profile", f"{name}'s profile", name, fields)

    def followed(self, follower: str, *, author: str = "", category: str = "") -> None:
        """Nothing is due now, mails are later."""
        self._follows.add((follower, _target(author, category)))

    def unfollowed(self, follower: str, *, author: str = "", category: str = "") -> None:
        """No mails any more."""
        self._follows.remove((follower, _target(author, category)))

    def wrote(self, request: Request, article: Article) -> None:
        """A new article, published or not, counts for its author and its category."""
        self._log(request, CREATE, "content.article", article.title, article.author)
        self._due(request, counter(f"author:{article.author}", +1))
        self._due(request, counter(f"category:{article.category}", +1))

    def published(self, request: Request, article: Article) -> None:
        """An article that was not public. Its followers are told the first time."""
        article.published = True
        self._log(request, UPDATE, "content.article", article.title, article.author, ["status"])
        subject = f"{article.author} published “{article.title}”"
        for follower in [] if article.told else self.followers(article):
            self._due(request, mail(address(follower), subject))
        article.told = True

    def archived(self, request: Request, article: Article) -> None:
        """An article that nobody but its author sees from now on."""
        article.published = False
        self._log(request, UPDATE, "content.article", article.title, article.author, ["status"])

    def rewrote(self, request: Request, article: Article, title: str, category: str) -> None:
        """Another title, another text, another category: that one counts it from now on."""
        fields = ["title", "content", "category"]
        self._log(request, UPDATE, "content.article", title, article.author, fields)
        self._due(request, counter(f"category:{article.category}", -1))
        self._due(request, counter(f"category:{category}", +1))
        article.title, article.category = title, category

    def viewed(self, request: Request, article: Article) -> None:
        """A published article's page, whoever opens it."""
        if article.published:
            self._due(request, counter(f"views:{article.slug}", +1))

    def commented(self, request: Request, article: Article, number: str, by: str) -> None:
        """A comment; its article's author is told unless they wrote it."""
        article.comments.append(number)
        self._log(request, CREATE, "content.comment", number, by)
        if by != article.author:
            subject = f"{by} commented on “{article.title}”"
            self._due(request, mail(address(article.author), subject))

    def deleted(self, request: Request, article: Article) -> None:
        """An article, and its comments with it."""
        self._log(request, DELETE, "content.article", article.title, article.author)
        for number in article.comments:
            self._log(request, DELETE, "content.comment", number, article.author)
        self._due(request, counter(f"author:{article.author}", -1))
        self._due(request, counter(f"category:{article.category}", -1))

    def product(
        self, request: Request, action: str, name: str, by: str, fields: Iterable[str] = ()
    ) -> None:
        """A product that was created, changed or deleted."""
        self._log(request, action, "content.product", name, by, fields)

    def followers(self, article: Article) -> list[str]:
        """Who follows the author or the category, each once; never the author."""
        targets = {_target(article.author, ""), _target("", article.category)}
        names = {name for name, target in self._follows if target in targets}
        return sorted(names - {article.author})

    def _log(
        self,
        request: Request,
        action: str,
        model: str,
        about: str,
        actor: str,
        fields: Iterable[str] = (),
    ) -> None:
        self._due(request, audit(request.id, model, action, about, actor, fields))

    def _due(self, request: Request, effect: Effect) -> None:
        self.actions[-1].dues.append(Due(effect, request))


def _target(author: str, category: str) -> str:
    return f"author:{author}" if author else f"category:{category}"
