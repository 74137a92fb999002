"""Flower's options: ``--conf=core/flower/config.py``. The login comes from a variable or a file."""

import os

from core.given_secrets import given_secret

# A list, because Flower would take a password with a comma in the variable apart.
basic_auth = [given_secret(os.environ, "FLOWER_BASIC_AUTH")]
