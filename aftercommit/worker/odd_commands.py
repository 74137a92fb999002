"""Have a worker survive commands of remote control that nobody of ours would send.

Celery opens a new channel after an error of a command. kombu then reads from a connection that is
gone, at times, and waits for ever. The worker takes no more messages, and looks alive.
"""

import logging
import re
from typing import Any

from celery.signals import worker_init
from kombu.matcher import MatcherNotInstalled
from kombu.pidbox import Node

from aftercommit.printable import make_printable
from aftercommit.redis.broken_messages import ODD, TEXT_CHARACTERS

logger = logging.getLogger(__name__)


class SurvivingNode(Node):
    """A worker, as remote control sees it."""

    def handle_message(self, body: Any, message: Any = None) -> Any:
        """Do what the message says, or drop it if it has odd contents."""
        try:
            return super().handle_message(body, message)
        except (*ODD, MatcherNotInstalled, re.error) as error:
            text = make_printable(repr(error)[:TEXT_CHARACTERS])
            logger.error("Dropped a command with odd contents: %s", text)


@worker_init.connect
def worker_init_survive_commands(sender: Any, **kwargs: Any) -> None:
    """Have this worker's commands handled so."""
    sender.app.control.mailbox.node_cls = SurvivingNode
