"""Secrets for ``docker-compose.yml``, made up for one installation: ``make .env`` keeps them."""

import sys
from secrets import token_urlsafe


def lines() -> list[str]:
    """Return the variables that the Compose file has no values of its own for."""
    return [
        f"SECRET_KEY={token_urlsafe(48)}",
        f"POSTGRES_PASSWORD={token_urlsafe(18)}",
        f"FLOWER_BASIC_AUTH=admin:{token_urlsafe(9)}",
    ]


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in lines())
