"""The site's settings with a key that is thrown away, for what only looks at the code: mypy."""

import os
from secrets import token_urlsafe

os.environ.setdefault("SECRET_KEY", token_urlsafe(48))

from core.settings import *  # noqa: F403  # after the key, without which nothing starts
