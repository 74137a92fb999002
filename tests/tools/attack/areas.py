"""The areas of the attacks, each a module of ``attacks/``, in the order in which they run."""

AREAS = (
    "csrf",
    "sessions",
    "accounts",
    "links",
    "redirects",
    "drafts",
    "forms",
    "scripts",
    "headers",
    "paths",
    "clients",
    "bodies",
    "smuggling",
    "pictures",
    "mails",
    "throttles",
    "machine",
    "broker",  # It is the last, because it has the worker log errors.
)
