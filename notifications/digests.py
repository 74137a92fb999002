"""Gather the comments to one author in one mail.

The first comment begins a delivery, whose call is due after ``NOTIFICATIONS_DIGEST_SECONDS``. The
comments of that time join it. The row of ``CommentDigest`` says which delivery that is. Each author
has at most one, and whoever adds comments or ends the gathering locks it.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from content.models import Article, Comment

from .deliveries import create_deliveries
from .limits import PERIODS, counts, reason_over, reason_recipient, record_limited, room
from .models import CommentDigest, Delivery, GatheredComment, Kind

logger = logging.getLogger(__name__)

DIGEST_SECONDS = 600
Status = Delivery.Status


def digest_seconds() -> float:
    """Return for how many seconds comments to one author are gathered in one mail."""
    seconds: float = getattr(settings, "NOTIFICATIONS_DIGEST_SECONDS", DIGEST_SECONDS)
    return seconds


def gather(comment_ids: Iterable[int]) -> list[Delivery]:
    """Add the comments to the next mail of their articles' authors. Return the mails that begin.

    A comment that is gone, that is the author's own, or that was added before is left out.
    """
    by_recipient: dict[int, list[Comment]] = defaultdict(list)
    for comment in _within_limits(_new_comments(comment_ids)):
        by_recipient[comment.article.author.user_id].append(comment)
    # Two batches that lock the same rows in different orders would wait for each other.
    begun = [_add(by_recipient[recipient]) for recipient in sorted(by_recipient)]
    return [delivery for delivery in begun if delivery is not None]


def comments_of(delivery: Delivery) -> QuerySet[Comment]:
    """Return the comments that the delivery tells of and that are still to be told, by article.

    A delivery of an earlier version has one comment, in its own column.
    """
    gathered = Q(pk__in=delivery.gathered.values("comment")) | Q(pk=delivery.comment_id)
    told = Comment.objects.filter(
        gathered,
        article__status=Article.Status.PUBLISHED,
        article__author__user=delivery.recipient_id,
        user__is_active=True,
    )
    told = told.exclude(user=delivery.recipient_id).select_related("user", "article__author__user")
    return told.order_by("article", "created_at", "pk")


def stop_gathering(delivery: Delivery) -> bool:
    """End the gathering of comments for the delivery, so that the mail can be sent.

    Return False if its recipient has had too many mails. Then the delivery gathers on.
    """
    if delivery.kind != Kind.COMMENT_POSTED:
        return True
    gathering = CommentDigest.objects.filter(delivery=delivery)
    if not gathering.exists():
        return True
    reason = reason_recipient(delivery, timezone.now())
    if reason and delivery.move(Status.PENDING, to=Status.PENDING, error=f"Waits. {reason}"):
        logger.warning("Delivery #%s waits, and gathers on. %s", delivery.pk, reason)
        return False
    gathering.update(delivery=None)
    return True


def _new_comments(comment_ids: Iterable[int]) -> list[Comment]:
    comments = Comment.objects.select_related("user", "article__author__user").order_by("pk")
    found = {comment.pk: comment for comment in comments.filter(pk__in=comment_ids)}
    known = GatheredComment.objects.filter(comment__in=found).values_list("comment", flat=True)
    for pk in known:
        del found[pk]
    return [each for each in found.values() if each.user_id != each.article.author.user_id]


def _within_limits(comments: Sequence[Comment]) -> list[Comment]:
    """Return the comments that are within the limits of their commenters. Record the others."""
    counted = _counts_by_commenter({comment.user_id for comment in comments})
    allowed = []
    for comment in comments:
        sent = counted[comment.user_id]
        if room("comments", sent) > 0:
            allowed.append(comment)
            counted[comment.user_id] = {period: count + 1 for period, count in sent.items()}
        else:
            reason, sender = reason_over("comments", sent), f"user #{comment.user_id}"
            record_limited(Kind.COMMENT_POSTED, sender, reason, comment=comment)
    return allowed


def _counts_by_commenter(commenters: Iterable[int]) -> dict[int, dict[str, int]]:
    now = timezone.now()
    found: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(PERIODS, 0))
    since = GatheredComment.objects.filter(created_at__gt=now - PERIODS["day"])
    rows = since.filter(commenter__in=commenters).order_by().values_list("commenter")
    for commenter, *counted in rows.annotate(**counts("created_at", now)):
        found[commenter] = dict(zip(PERIODS, counted, strict=True))
    return found


def _add(comments: Sequence[Comment]) -> Delivery | None:
    """Add comments to one author to the author's next mail. Return that mail if it begins."""
    recipient = comments[0].article.author.user
    digest, _ = CommentDigest.objects.select_for_update().get_or_create(recipient=recipient)
    # A person may have cancelled the delivery that gathers.
    begins = digest.delivery is None or digest.delivery.status != Status.PENDING
    if begins:
        digest.delivery = _begin(recipient, comments[0])
        digest.save()
    GatheredComment.objects.bulk_create(
        GatheredComment(comment=comment, delivery=digest.delivery, commenter=comment.user)
        for comment in comments
    )
    return digest.delivery if begins else None


def _begin(recipient: User, first: Comment) -> Delivery:
    about = {"article": first.article, "comment": first}
    (delivery,) = create_deliveries(Kind.COMMENT_POSTED, str(first.pk), [recipient], **about)
    return delivery
