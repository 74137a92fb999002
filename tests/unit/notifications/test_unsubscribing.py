"""The links in mails that end such mails, as mail programs and people use them."""

import re
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.core.signing import Signer
from django.test import Client, override_settings
from django.urls import reverse

from aftercommit.worker.summary import DrainSummary
from notifications.models import Follow, Kind, Mute
from notifications.unsubscribing import Subscription
from tests.factories import ArticleFactory, CategoryFactory, CommentFactory, UserFactory
from tests.mailbox import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], DrainSummary]
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def browser() -> Client:
    """Somebody without a cookie, to whom no rule of CSRF makes an exception."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def fay() -> User:
    """A reader who follows mara and the category News, and somebody else."""
    user: User = UserFactory(username="fay")
    Follow.objects.create(user=user, author=UserFactory(username="mara").author)
    Follow.objects.create(user=user, category=CategoryFactory(slug="news", name="News"))
    Follow.objects.create(user=user, author=UserFactory(username="other").author)
    return user


@pytest.fixture
def message(fay: User, mail_server: MailServer, drain: Drain) -> EmailMessage:
    """The mail to fay about an article by mara in News."""
    author = User.objects.get(username="mara").author
    with override_settings(SITE_URL="https://news.example.com/"):
        category = Follow.objects.get(category__isnull=False).category
        ArticleFactory(author=author, category=category, published=True)
        drain()
    return mail_server.sent_to(fay.email)[0]


@pytest.fixture
def about_comments(mail_server: MailServer, drain: Drain) -> EmailMessage:
    """The mail to ada about a comment."""
    CommentFactory(article__author__user__username="ada")
    drain()
    return mail_server.messages[0]


def path_of(message: EmailMessage) -> str:
    """Return the path of the link in the header, which has to be one address in <>."""
    found = re.fullmatch(r"<(https?://[^<>\s]+)>", message["List-Unsubscribe"].strip())
    assert found
    return urlsplit(found[1]).path


def followed(user: User) -> list[str]:
    """Return what the user follows."""
    return sorted(str(follow.target) for follow in Follow.objects.filter(user=user))


class TestMails:
    """What each mail has."""

    @pytest.mark.parametrize("which", ["message", "about_comments"])
    def test_headers_and_texts(self, which: str, request: pytest.FixtureRequest) -> None:
        """Both headers of RFC 8058, and the same link in the text and in the HTML."""
        mail: EmailMessage = request.getfixturevalue(which)
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        path = path_of(mail)
        for kind in ("plain", "html"):
            body = mail.get_body((kind,))
            assert body is not None
            assert path in body.get_content()
            assert "Unsubscribe" in body.get_content()

    def test_address_of_the_site(self, message: EmailMessage) -> None:
        """The link begins with SITE_URL."""
        assert message["List-Unsubscribe"].strip().startswith("<https://news.example.com/unsub")

    def test_header_as_it_is_sent(self, message: EmailMessage, mail_server: MailServer) -> None:
        """The long address is sent as it is: no mail program reads an encoded one."""
        (received,) = mail_server.received
        assert re.search(rb"\r\nList-Unsubscribe:\s+<https://[^<>\s]+>\r\n", received)


class TestOneClick:
    """The POST of a mail program."""

    def test_article(self, message: EmailMessage, fay: User, browser: Client) -> None:
        """Ends what the mail came of, and nothing else. No cookie, log-in or token is needed."""
        response = browser.post(path_of(message), ONE_CLICK)
        assert response.status_code == 200
        assert followed(fay) == ["other"]
        assert not response.cookies

    def test_comment(self, about_comments: EmailMessage, browser: Client) -> None:
        """Switches the kind off."""
        assert browser.post(path_of(about_comments), ONE_CLICK).status_code == 200
        mute = Mute.objects.get()
        assert (mute.user.username, mute.kind) == ("ada", Kind.COMMENT_POSTED)

    @pytest.mark.parametrize("which", ["message", "about_comments"])
    def test_twice(
        self, which: str, request: pytest.FixtureRequest, fay: User, browser: Client
    ) -> None:
        """The second time changes nothing, and says the same."""
        path = path_of(request.getfixturevalue(which))
        first, second = (browser.post(path, ONE_CLICK) for _ in range(2))
        assert (first.status_code, first.content) == (second.status_code, second.content)

    def test_next_article(
        self, message: EmailMessage, mail_server: MailServer, browser: Client, drain: Drain
    ) -> None:
        """No other mail of the kind comes, neither by the author nor by the category."""
        browser.post(path_of(message), ONE_CLICK)
        article = ArticleFactory(author=User.objects.get(username="mara").author, published=True)
        ArticleFactory(category=CategoryFactory(name="Other"), author=article.author)
        drain()
        assert len(mail_server.messages) == 1

    def test_logged_in_as_another(self, message: EmailMessage, fay: User, client: Client) -> None:
        """The token says whose mails end, and not the session."""
        other: User = UserFactory()
        Follow.objects.create(user=other, author=User.objects.get(username="mara").author)
        client.force_login(other)
        client.post(path_of(message), ONE_CLICK)
        assert (followed(other), followed(fay)) == (["mara"], ["other"])


class TestPage:
    """The link, opened by a person or by a program that looks for viruses."""

    @pytest.mark.parametrize("method", ["get", "head", "options"])
    def test_changes_nothing(
        self, method: str, message: EmailMessage, fay: User, browser: Client
    ) -> None:
        """Whatever opens the link ends nothing."""
        assert getattr(browser, method)(path_of(message)).status_code == 200
        assert len(followed(fay)) == 3

    def test_button(self, message: EmailMessage, fay: User, browser: Client) -> None:
        """It says what would end, and its button ends it."""
        text = browser.get(path_of(message)).content.decode()
        assert "<strong>mara</strong> and in <strong>News</strong>" in text
        assert '<form method="post">' in text
        assert "fay" not in text
        done = browser.post(path_of(message)).content.decode()
        assert "Done. You get no more mails about new articles of" in done
        assert followed(fay) == ["other"]

    def test_stays_out_of_caches(self, message: EmailMessage, browser: Client) -> None:
        """No proxy keeps the answer."""
        assert "no-store" in browser.get(path_of(message)).headers["Cache-Control"]

    def test_author_that_is_gone(self, message: EmailMessage, browser: Client) -> None:
        """A link about what is gone still has a page."""
        User.objects.get(username="mara").delete()
        text = browser.get(path_of(message)).content.decode()
        assert "<strong>News</strong>" in text


def forged(token: str) -> dict[str, str]:
    """Return tokens that are none."""
    value, _, signature = token.partition("~")
    return {
        "another user": f"{int(value.partition('.')[0]) + 1}.{value.partition('.')[2]}~{signature}",
        "no signature": value,
        "short": token[:-1],
        "nonsense": "x",
        "of another purpose": Signer(salt="another", sep="~").sign(value),
        "of a session": signing.dumps({"user": 1}),
        "unknown kind": Signer(salt="notifications.unsubscribe", sep="~").sign("1.weather.0.0"),
        "no number": Signer(salt="notifications.unsubscribe", sep="~").sign("x.comment_posted.0.0"),
        "too few": Signer(salt="notifications.unsubscribe", sep="~").sign("1.comment_posted"),
    }


@pytest.mark.parametrize("which", forged("1.comment_posted.0.0~x"))
@pytest.mark.parametrize("method", ["get", "post"])
def test_forged(which: str, method: str, fay: User, browser: Client) -> None:
    """A token that the site didn't make for this has a page that says so, and does nothing."""
    token = forged(Subscription(fay.pk, Kind.ARTICLE_PUBLISHED, 1, 1).token)[which]
    response = getattr(browser, method)(reverse("unsubscribe", args=[token]))
    assert response.status_code == 404
    assert "This link isn\N{RIGHT SINGLE QUOTATION MARK}t valid." in response.content.decode()
    assert len(followed(fay)) == 3
    assert not Mute.objects.exists()


def test_user_that_is_gone(browser: Client) -> None:
    """Of a user who is gone the page says no more than of a forged link."""
    gone = Subscription(4711, Kind.COMMENT_POSTED).token
    answers = [
        browser.post(reverse("unsubscribe", args=[token])).content for token in (gone, "forged")
    ]
    assert answers[0] == answers[1]


def test_another_key(fay: User, browser: Client, settings: Any) -> None:
    """A token of a key that the site had before works while the site still knows that key."""
    path = reverse("unsubscribe", args=[Subscription(fay.pk, Kind.COMMENT_POSTED).token])
    before, settings.SECRET_KEY = settings.SECRET_KEY, "new" * 20
    assert browser.get(path).status_code == 404
    settings.SECRET_KEY_FALLBACKS = [before]
    assert browser.get(path).status_code == 200


def test_token_is_for_nothing_else(fay: User) -> None:
    """The token is no signed value of another kind."""
    token = Subscription(fay.pk, Kind.COMMENT_POSTED).token
    with pytest.raises(signing.BadSignature):
        Signer(sep="~").unsign(token)
    with pytest.raises(signing.BadSignature):
        signing.loads(token)
