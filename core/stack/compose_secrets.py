"""Secrets for ``docker-compose.yml``, made up for one installation: ``make secrets`` keeps them.

``python -m core.stack.compose_secrets FOLDER``. What is in the folder stays. Values of a former
``.env`` beside the folder are taken over, since a database keeps its password.
"""

import sys
from pathlib import Path
from secrets import token_urlsafe

from core.stack.rabbitmq_users import definitions
from core.stack.redis_users import user_lines

DATABASE_USER = "aftercommit"
"""The user in the database, as ``docker-compose.yml`` names it."""

FORMER = {
    "secret_key": "SECRET_KEY",
    "database_password": "POSTGRES_PASSWORD",
    "flower_login": "FLOWER_BASIC_AUTH",
    "email_password": "EMAIL_HOST_PASSWORD",
}
"""The variables that some of the secrets had in ``.env``."""


def keep_secrets(folder: Path) -> None:
    """Make up the secrets that the folder has not, and write down the users of the servers."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    former = read_former(folder.parent / ".env")
    for name, made_up in make_up().items():
        if not (folder / name).exists():
            write(folder / name, former.get(FORMER.get(name, "")) or made_up)
    write_users(folder)


def write_users(folder: Path) -> None:
    """Write who may log in at each server, in the form that the server reads."""

    def word(name: str) -> str:
        return (folder / name).read_text().rstrip("\r\n")

    redis = user_lines(word("redis_password"), word("flower_redis_password"))
    rabbitmq = definitions(word("rabbitmq_password"), word("flower_rabbitmq_password"))
    write(folder / "redis_users", "\n".join(redis))
    write(folder / "rabbitmq_users", rabbitmq)
    write(folder / "pgbouncer_users", pooled_line(DATABASE_USER, word("database_password")))


def pooled_line(user: str, password: str) -> str:
    """Return the line of PgBouncer's ``auth_file``.

    It has the password itself. PgBouncer logs in at the database with it.
    """
    return " ".join('"{}"'.format(each.replace('"', '""')) for each in (user, password))


def make_up() -> dict[str, str]:
    """Return a new value for each secret. The mail server's password is for a person to fill in."""
    return {
        "secret_key": token_urlsafe(48),
        "database_password": token_urlsafe(18),
        "redis_password": token_urlsafe(18),
        "flower_redis_password": token_urlsafe(18),
        "rabbitmq_password": token_urlsafe(18),
        "flower_rabbitmq_password": token_urlsafe(18),
        "flower_login": f"admin:{token_urlsafe(9)}",
        "email_password": "",
    }


def write(path: Path, text: str) -> None:
    """Write the file.

    The folder keeps others out. In a container the file is alone, and is read by a user whose
    number is not that of its owner. So the file itself may be read.
    """
    path.write_text(f"{text}\n" if text else "")
    path.chmod(0o644)


def read_former(path: Path) -> dict[str, str]:
    """Return the variables of a ``.env``, or none if there is no such file."""
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


if __name__ == "__main__":
    keep_secrets(Path(sys.argv[1]))
