"""A line of the log for each request."""

import json
import logging
import re
import time

from core.serving.answer import Answer
from core.serving.environ import Scope, client_of

KEYS = re.compile(r"^(/account/address/verify/|/account/password/reset/|/unsubscribe/)[^/]{16,}")
"""The pages that mails lead to. Who has the key in such a path may do what its reader may."""

logger = logging.getLogger(__name__)


def log_request(scope: Scope, headers: dict[str, str], answer: Answer, began: float) -> None:
    """Log who asked for what, the answer, how long it took, and the request's id.

    The path is as it came, with its percent signs, but for the keys of links in mails. The query is
    left out, because it may hold a token. The name of the client's program is in quotation marks.
    All of it is ASCII.
    """
    path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "backslashreplace")
    logger.info(
        "%s %s %s %d, %d bytes, %.0f ms, %s, %s",
        answer.client or client_of(scope) or "-",
        scope["method"],
        KEYS.sub(r"\1...", path),
        answer.status,
        answer.size,
        (time.monotonic() - began) * 1000,
        answer.header("x-request-id") or "-",
        json.dumps(headers.get("HTTP_USER_AGENT", "-")),
    )
