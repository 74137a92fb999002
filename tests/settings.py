"""The site's settings, with a key that is thrown away.

Groups are not audited: they are what the library's tests write, as rows that make no calls.
"""

import os
from secrets import token_urlsafe

os.environ.setdefault("SECRET_KEY", token_urlsafe(48))

from core import settings
from core.settings import *  # noqa: F403  # after the key, without which nothing starts

AUDIT_MODELS = {
    label: options for label, options in settings.AUDIT_MODELS.items() if label != "auth.Group"
}
