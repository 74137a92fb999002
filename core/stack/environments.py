"""The environments of a run's processes: each gets the secrets that it needs, and no others."""

import os
import sys
from pathlib import Path

from core.redis_login import RedisLogin
from core.stack.config import INHERITED, RunConfig
from core.stack.ports import LOOPBACK
from core.stack.redis_users import FLOWER

SECRETS = ("SECRET_KEY", "DATABASE_PASSWORD", "REDIS_PASSWORD", "FLOWER_BASIC_AUTH")
NOT_INHERITED = {*SECRETS, *(f"{name}_FILE" for name in SECRETS), "REDIS_USERNAME"}
"""The variables that the configuration has read, so that no process inherits them."""


def bare_environment(config: RunConfig) -> dict[str, str]:
    """Return the environment of a server that needs no secret."""
    kept = {name: each for name, each in config.environ.items() if name in INHERITED}
    path = f"{Path(sys.executable).parent}:{config.environ.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "PYTHONUNBUFFERED": "1", "VAR_DIR": str(config.var_dir)}


def site_environment(config: RunConfig, secret_key: str) -> dict[str, str]:
    """Return the environment of the site's own processes."""
    ours = {
        **bare_environment(config),
        **RedisLogin.parse(config.broker_url).environment,
        "DJANGO_SETTINGS_MODULE": "core.settings",
        "SECRET_KEY": secret_key,
        "DATABASE_URL": config.database_url,
        "DATABASE_PASSWORD": config.database_password,
        "SITE_URL": config.environ.get("SITE_URL") or config.site_url,
    }
    if not config.email_host:
        ours |= {"EMAIL_HOST": LOOPBACK, "EMAIL_PORT": str(config.email_port)}
    others = {name: each for name, each in config.environ.items() if name not in NOT_INHERITED}
    return {**others, **ours}


def flower_environment(config: RunConfig) -> dict[str, str]:
    """Return the environment of Flower: its login, and the broker."""
    login = config.embedded_redis(FLOWER, config.flower_redis_password)
    login = RedisLogin.parse(config.redis_url) if config.redis_url else login
    flower = {"FLOWER_BASIC_AUTH": config.flower_login}
    return {**bare_environment(config), **login.environment, **flower}
