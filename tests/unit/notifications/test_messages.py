"""What the mails say, as a mail program reads them."""

from collections.abc import Callable
from email.message import EmailMessage

import pytest
from django.test import override_settings

from aftercommit.worker.summary import DrainSummary
from content.models import Article
from notifications.models import Delivery, Follow
from tests.factories import ArticleFactory, CategoryFactory, CommentFactory, UserFactory
from tests.mailbox import MailServer

pytestmark = pytest.mark.django_db(transaction=True)

Drain = Callable[[], DrainSummary]

TITLE = 'Tom & "Jerry" <b>\r\nBcc: all@example.com'


def part(message: EmailMessage, kind: str) -> str:
    """The text of the message's plain or html part."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


@pytest.fixture
def published(mail_server: MailServer, drain: Drain) -> EmailMessage:
    """The mail about an article with a difficult title."""
    author = UserFactory.create(username="mara").author
    category = CategoryFactory.create(name="R & D", slug="r-d")
    Follow.objects.create(user=UserFactory.create(username="fay"), author=author)
    article = ArticleFactory.create(author=author, category=category, content="1 < 2\n\nso it is")
    Article.objects.filter(pk=article.pk).update(title=TITLE)
    article.title, article.slug, article.is_published = TITLE, "tom", True
    with override_settings(
        SITE_URL="https://news.example.com/", DEFAULT_FROM_EMAIL="News <news@example.com>"
    ):
        article.save()
        drain()
    (message,) = mail_server.messages
    return message


class TestArticlePublished:
    def test_headers(self, published: EmailMessage) -> None:
        """The subject is one line, whatever the title is; nobody is added to the recipients."""
        assert published["Subject"].strip() == (
            'mara published “Tom & "Jerry" <b> Bcc: all@example.com”'
        )
        assert (published["From"], published["To"]) == (
            "News <news@example.com>",
            "fay@example.com",
        )
        assert published["Bcc"] is None
        assert published["Auto-Submitted"] == "auto-generated"
        assert published["Message-ID"] == Delivery.objects.get().message_id
        assert published["Message-ID"].endswith("@example.com>")

    def test_plain_text_is_not_escaped(self, published: EmailMessage) -> None:
        """Plain text has the characters themselves, and absolute addresses."""
        text = part(published, "plain")
        assert 'Tom & "Jerry" <b>' in text
        assert "1 < 2" in text
        assert "&" in text
        assert "&amp;" not in text
        assert "https://news.example.com/articles/tom/" in text
        assert "You get this mail because you follow mara." in text
        assert "https://news.example.com/following/" in text

    def test_html_is_escaped(self, published: EmailMessage) -> None:
        """HTML shows the same text, and nothing in it is markup of the author's."""
        html = part(published, "html")
        assert "Tom &amp; &quot;Jerry&quot; &lt;b&gt;" in html
        assert "<p>1 &lt; 2</p>" in html
        assert "<b>" not in html
        assert 'href="https://news.example.com/articles/tom/"' in html


class TestCommentPosted:
    def test_says_who_said_what_about_which_article(
        self, mail_server: MailServer, drain: Drain
    ) -> None:
        """The mail has the commenter, the comment, escaped in HTML alone, and a link."""
        CommentFactory.create(
            user__username="tom", text="<i>no</i> & yes", article__slug="on-signals"
        )
        with override_settings(SITE_URL="https://news.example.com"):
            drain()
        (message,) = mail_server.messages
        text, html = part(message, "plain"), part(message, "html")
        assert "tom commented on your article" in text
        assert "<i>no</i> & yes" in text
        assert "&lt;i&gt;no&lt;/i&gt; &amp; yes" in html
        for body in (text, html):
            assert "https://news.example.com/articles/on-signals/" in body
