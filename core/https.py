"""HTTPS as one variable: the scheme of ``SITE_URL``."""

from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


def read_site_url(url: str) -> tuple[bool, str]:
    """Return whether the site is on HTTPS, and its host. Raises ImproperlyConfigured."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ImproperlyConfigured(
            f"SITE_URL={url!r} is not an address. Expected https://HOST or http://HOST:PORT."
        )
    return (
        parts.scheme == "https",
        f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname,
    )


def header_of_proxy(name: str) -> tuple[str, str] | None:
    """Return the header in which a trusted proxy says "https", as Django's setting wants it."""
    return (f"HTTP_{name.strip().upper().replace('-', '_')}", "https") if name.strip() else None
