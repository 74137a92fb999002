"""Flower's options: ``--conf=core/flower/config.py``. The login comes from a variable or a file."""

import os

from core.flower.login import required_login

# A list, because Flower would take a password with a comma in the variable apart.
basic_auth = [required_login(os.environ)]
