"""What the notifications have of a person: what they want to be told of, and the mails to them."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db.models import Q

from core.forgetting.find import also_has
from core.forgetting.owned import Owned, register_owned
from core.forgetting.person import Person
from core.forgetting.places import OwnRows, Rows, register_place

from .models import Announcement, CommentDigest, Delivery, Follow, GatheredComment, Mute


def follows_of(person: Person) -> Rows:
    """Return what the person follows, and who follows them."""
    return Follow.objects.filter(Q(user=person.user_id) | Q(author__user=person.user_id))


def deliveries_to(person: Person) -> Rows:
    """Return the mails to the person. A mail that is yet to go is not sent without its record."""
    return Delivery.objects.filter(recipient=person.user_id)


def mutes_of(person: Person) -> Rows:
    """Return the kinds of mail that the person didn't want."""
    return Mute.objects.filter(user=person.user_id)


def digests_to(person: Person) -> Rows:
    """Return the mail that still gathers comments for the person."""
    return CommentDigest.objects.filter(recipient=person.user_id)


def gathered_comments_of(person: Person) -> Rows:
    """Return the records that comments of the person were told of."""
    return GatheredComment.objects.filter(commenter=person.user_id)


def announcements_of(person: Person) -> Rows:
    """Return the records that articles were told of. An article that stays keeps its record."""
    rows = Announcement.objects.filter(author__user=person.user_id)
    return rows.none() if person.keeps_articles else rows


def former_addresses(user: User) -> Iterable[str]:
    """Return the addresses to which mails for the user went."""
    deliveries = Delivery.objects.filter(recipient=user).order_by()
    return deliveries.values_list("address", flat=True).distinct()


also_has(former_addresses)
register_owned(Owned(Delivery, "recipient", deliveries_to))
register_place(OwnRows("follows", ("notifications.follow",), follows_of))
register_place(OwnRows("unwanted mails", ("notifications.mute",), mutes_of))
register_place(OwnRows("digests", ("notifications.commentdigest",), digests_to))
register_place(OwnRows("told comments", ("notifications.gatheredcomment",), gathered_comments_of))
register_place(OwnRows("told articles", ("notifications.announcement",), announcements_of))
register_place(OwnRows("deliveries", ("notifications.delivery",), deliveries_to))
