"""The lines on the screen when everything answers: where to look, and how to log in."""

from collections.abc import Iterator

from core.stack.demo_logins import FILES, kept_logins
from core.stack.preflight import describe_database, parse_database
from core.stack.stack import Stack, shown


def banner(stack: Stack) -> Iterator[str]:
    """Yield the lines. The only passwords are those of the demo and of Flower."""
    config = stack.config
    name, _, password = config.flower_login.partition(":")
    known = "" if stack.is_flower_login_given else f" / {password}"
    yield ""
    yield f"Ready after {stack.age:.1f} s."
    yield f"  Site      {config.site_url}/"
    yield f"  Admin     {config.site_url}/admin/"
    yield f"  Flower    {config.flower_url}/   login: {name}{known}"
    yield f"  Mails     {mails(stack)}"
    yield f"  Database  {database(stack)}"
    yield f"  Redis     {redis(stack)}"
    yield from logins(stack)
    yield "Ctrl-C stops everything; running tasks finish first."
    yield ""


def logins(stack: Stack) -> Iterator[str]:
    """Say who can log in, if this run has demo data."""
    config = stack.config
    kept = kept_logins(config.var_dir) if config.demo_data else {}
    if kept:
        yield f"  Demo logins, kept in {shown(config.var_dir)}/{FILES}"
        for username, password in kept.items():
            yield f"    {username:<8}{password}"
    else:
        yield "  Logins    none are kept here; `manage.py createsuperuser` makes one"


def mails(stack: Stack) -> str:
    """Return where the mails go."""
    config = stack.config
    if config.email_host:
        return f"sent through {config.email_host} (EMAIL_HOST)"
    return f"{shown(config.mail_directory)}/*.eml   (caught on 127.0.0.1:{config.email_port})"


def database(stack: Stack) -> str:
    """Return the database's name and place, without its password."""
    if stack.config.database_url:
        return f"{describe_database(parse_database(stack.config.database_url))} (DATABASE_URL)"
    return f"{shown(stack.config.embedded_database)}   (SQLite)"


def redis(stack: Stack) -> str:
    """Return the Redis server's place, without its password."""
    given = stack.config.redis_url
    return "the one in REDIS_URL" if given else f"127.0.0.1:{stack.config.redis_port}   (embedded)"
