"""Spare the tests what costs processor time and shows nothing: strong passwords, static files.

Passwords took a tenth of the time of the tests of pages, and so did WhiteNoise, which lists all
static files for each test client.
"""


def pytest_configure() -> None:
    """Hash a password once, not a million times. Look for a static file when it is asked for.

    The hash says how often it was made, so that another process can check the password.
    """
    from django.conf import settings
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    PBKDF2PasswordHasher.iterations = 1
    settings.WHITENOISE_AUTOREFRESH = True
