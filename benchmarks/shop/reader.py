"""The user whose clients ask for pages: logged in beforehand, in every contender's database."""

SESSION_KEY = "of-the-reader".ljust(32, "0")

COOKIES = f"sessionid={SESSION_KEY}; csrftoken={'x' * 32}"
"""What the browser of one who is logged in sends."""


def log_in() -> None:
    """Make the user, and the session that the cookie names."""
    from django.contrib import auth
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    reader = User.objects.create_user("reader")
    content = {
        auth.SESSION_KEY: str(reader.pk),
        auth.BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        auth.HASH_SESSION_KEY: reader.get_session_auth_hash(),
    }
    Session.objects.save(SESSION_KEY, content, SessionStore().get_expiry_date())
