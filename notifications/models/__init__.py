"""Who wants which mails, and every mail that came of that."""

from .announcement import Announcement
from .comment_digest import CommentDigest, GatheredComment
from .delivery import Delivery
from .subscriptions import Follow, Kind, Mute

__all__ = [
    "Announcement",
    "CommentDigest",
    "Delivery",
    "Follow",
    "GatheredComment",
    "Kind",
    "Mute",
]
