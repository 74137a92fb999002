"""The project's settings. Those that differ between installations come from the environment.

``DATABASE_URL``, ``DATABASE_PASSWORD``, ``DATABASE_POOLER``, ``REDIS_URL``, ``REDIS_USERNAME``,
``REDIS_PASSWORD``, ``RABBITMQ_URL``, ``RABBITMQ_PASSWORD``, ``SECRET_KEY``, ``DEBUG``,
``ALLOWED_HOSTS``, ``CSRF_TRUSTED_ORIGINS``, ``EMAIL_HOST``, ``EMAIL_PORT``, ``EMAIL_HOST_USER``,
``EMAIL_HOST_PASSWORD``, ``EMAIL_USE_TLS``, ``DEFAULT_FROM_EMAIL``, ``SITE_URL``, ``VAR_DIR``,
``STATIC_ROOT``, ``LOG_LEVEL``, ``TRUSTED_PROXIES``, ``THROTTLES``,
``NOTIFICATIONS_RESEND_UNCONFIRMED``, ``NOTIFICATIONS_MAX_FAILED``,
``NOTIFICATIONS_DIGEST_SECONDS``, ``NOTIFICATIONS_ARTICLES_PER_HOUR``,
``NOTIFICATIONS_ARTICLES_PER_DAY``, ``NOTIFICATIONS_COMMENTS_PER_HOUR``,
``NOTIFICATIONS_COMMENTS_PER_DAY``, ``NOTIFICATIONS_MAILS_PER_HOUR``,
``NOTIFICATIONS_MAILS_PER_DAY``, ``OUTBOX_SWEEP_INTERVAL``, ``OUTBOX_UNKNOWN_TASK_GRACE``,
``OUTBOX_CRASH_GRACE``, ``OUTBOX_IDLE_LIMIT``, ``OUTBOX_MAX_AGE``, ``OUTBOX_STALE_WORKER``,
``RETENTION_DAYS``, ``TASK_TIME_LIMIT`` and ``WORKER_STOPS_WITHIN``.
``docs/reference/environment.md`` says what each is for.
"""

import os
from pathlib import Path
from typing import Any

import django
from django.core.exceptions import ImproperlyConfigured

import celery_app  # noqa: F401  # @shared_task binds to an app that exists once Django is set up
from core.database_url import read_database_url
from core.front.client_address import read_proxies
from core.front.rates import read_throttles
from core.given_secrets import given_secret
from core.https import header_of_proxy, read_site_url
from core.one_line import tell_in_one_line
from core.pooler import through_pooler
from core.rabbitmq_login import RabbitMQLogin
from core.redis_login import RedisLogin
from core.retention.days import read_days
from core.secret_key import secret_key
from core.stopping import check_time_limit, default_time_limit

tell_in_one_line()

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("VAR_DIR", BASE_DIR / "var"))


def env_flag(name: str, default: bool = False) -> bool:
    """Return the variable as a yes or no. Raises ImproperlyConfigured for anything else."""
    value = os.environ.get(name, "").strip().lower()
    if value in ("", "1", "0", "true", "false", "yes", "no", "on", "off"):
        return default if not value else value in ("1", "true", "yes", "on")
    raise ImproperlyConfigured(f"{name}={value!r} is not a yes or no. Set {name}=1 or {name}=0.")


def env_list(name: str, default: str) -> list[str]:
    """Return the variable's comma-separated parts, or the default's if it is not set or empty."""
    return [part.strip() for part in (os.environ.get(name) or default).split(",") if part.strip()]


def env_number(name: str, default: float) -> float:
    """Return the variable as a number above 0. Raises ImproperlyConfigured for anything else."""
    value = os.environ.get(name, str(default))
    try:
        number = float(value)
    except ValueError:
        number = 0
    if number <= 0:
        raise ImproperlyConfigured(
            f"{name}={value!r} is not a number above 0. Set for example {name}={default}."
        )
    return number


def env_count(name: str, default: int) -> int:
    """Return the variable as a whole number above 0. Raises ImproperlyConfigured otherwise."""
    number = env_number(name, default)
    if number % 1:
        raise ImproperlyConfigured(
            f"{name}={os.environ[name]!r} is not a whole number. Set for example {name}={default}."
        )
    return int(number)


def database() -> dict[str, Any]:
    """Return the database that ``DATABASE_URL`` names, on the backend with the commit hook.

    What the URL's query says holds before the defaults for its OPTIONS:
    ``postgres://…/name?tcp_user_timeout=20000``.
    """
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{VAR_DIR / 'db.sqlite3'}"
    config = read_database_url(url, given_secret(os.environ, "DATABASE_PASSWORD"))
    hooked = {
        "django.db.backends.postgresql": "aftercommit.db.postgresql",
        "django.db.backends.mysql": "aftercommit.db.mysql",
        "django.db.backends.sqlite3": "aftercommit.db.sqlite3",
    }
    if config.get("ENGINE") not in hooked:
        raise ImproperlyConfigured(
            f"DATABASE_URL names the engine {config.get('ENGINE')!r}. "
            "Expected postgres://, mysql:// or sqlite://."
        )
    config["ENGINE"] = hooked[config["ENGINE"]]
    if config["ENGINE"] == "aftercommit.db.sqlite3":
        # WAL lets others read while one writes. IMMEDIATE lets a writer wait when its transaction
        # starts. A deferred transaction that begins to write later fails instead of waiting.
        config.setdefault("OPTIONS", {}).update(
            transaction_mode="IMMEDIATE",
            timeout=20,
            init_command="PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        )
        # Tests need a file too, because they start processes that use the same database.
        config["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    else:
        config["CONN_MAX_AGE"] = 600
        config["CONN_HEALTH_CHECKS"] = True
    if config["ENGINE"] == "aftercommit.db.mysql":
        config.setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
        config["TEST"] = {"CHARSET": "utf8mb4"}  # some servers' own can't store every character
    return through_pooler(config, os.environ.get("DATABASE_POOLER", ""))


def embedded_redis() -> RedisLogin:
    """Return the login of the Redis that ``make run`` has on its usual port."""
    kept = VAR_DIR / "redis_password"
    password = kept.read_text().strip() if os.access(kept, os.R_OK) else ""
    return RedisLogin("redis://127.0.0.1:6379/0", password=password)


def cache(redis: RedisLogin, connecting: float, answering: float) -> dict[str, Any]:
    """Return a cache in Redis with these time limits in seconds, or each process's own."""
    if not redis.url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {
        "BACKEND": "aftercommit.redis.cache.RedisCache",
        "LOCATION": redis.url,
        "KEY_PREFIX": "aftercommit",
        "OPTIONS": {
            **redis.options,
            "socket_connect_timeout": connecting,
            "socket_timeout": answering,
        },
    }


DEBUG = env_flag("DEBUG")
SECRET_KEY = secret_key(given_secret(os.environ, "SECRET_KEY"), VAR_DIR, DEBUG)
SITE_URL = os.environ.get("SITE_URL") or "http://127.0.0.1:8000"
HTTPS, SITE_HOST = read_site_url(SITE_URL)
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", f"localhost,127.0.0.1,[::1],{SITE_HOST}")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS", "")

# --- HTTPS, which SITE_URL asks for ---------------------------------------------------------
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = int(env_number("HSTS_SECONDS", 3600)) if HTTPS else 0
SECURE_PROXY_SSL_HEADER = header_of_proxy(os.environ.get("PROXY_HTTPS_HEADER", ""))
TRUSTED_PROXIES = read_proxies(env_list("TRUSTED_PROXIES", ""))
THROTTLES = read_throttles(os.environ.get("THROTTLES", ""))
SECURE_REFERRER_POLICY = "same-origin"
# A site can't promise HTTPS for the other names of its domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_celery_results",
    "core.logins",
    "core.accounts",  # before allauth, for its templates
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "aftercommit",
    "core",
    "core.forgetting",
    "core.retention",
    "content",
    "notifications",
    "audit",
]

MIDDLEWARE = [
    "core.front.probes.ProbeMiddleware",
    "core.front.client_address.ClientAddressMiddleware",
    "core.front.headers.HeadersMiddleware",
    "core.front.body.BodyMiddleware",
    "core.front.text.TextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "aftercommit.context.ContextMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "core.front.throttle.ThrottleMiddleware",
]

ROOT_URLCONF = "core.urls"
WSGI_APPLICATION = "core.wsgi.application"
ASGI_APPLICATION = "core.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database()}
if DATABASES["default"]["ENGINE"] == "aftercommit.db.mysql":
    # A migration replaces the partial indexes. It has no partial uniqueness for addresses either.
    SILENCED_SYSTEM_CHECKS += ["models.W036", "models.W037"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# RabbitMQ, if it is named, is the broker. Redis is a cache beside it then, if that is named too.
_rabbitmq = RabbitMQLogin.read(os.environ)
_redis = RedisLogin.read(os.environ, fallback=RedisLogin("") if _rabbitmq else embedded_redis())
REDIS_URL = _redis.url
CACHES = {
    alias: cache(_redis, connecting, answering)
    for alias, connecting, answering in (("default", 2, 5), ("counters", 0.5, 0.5))
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "article-list"
LOGOUT_REDIRECT_URL = "article-list"

# --- Accounts, which are django-allauth's ----------------------------------------------------
ACCOUNT_ADAPTER = "core.accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "signup": "core.accounts.forms.SignupForm",
    "login": "core.accounts.forms.LoginForm",
    "add_email": "core.accounts.forms.AddEmailForm",
    "reset_password": "core.accounts.forms.ResetPasswordForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CHANGE_EMAIL = True  # an account has one address, and another while that is verified
ACCOUNT_PREVENT_ENUMERATION = "strict"  # an unverified address is nobody's yet
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody has verified the address
ACCOUNT_EMAIL_NOTIFICATIONS = False  # the adapter has its own, as effects
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before an address is changed
ACCOUNT_REAUTHENTICATION_METHODS = ["password"]
ACCOUNT_SESSION_REMEMBER = True  # for SESSION_COOKIE_AGE
ACCOUNT_RATE_LIMITS = False  # THROTTLES, which hold for all pages and without Redis too
PASSWORD_RESET_TIMEOUT = 3 * 60 * 60

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
# An image has them here (`manage.py collectstatic`). Elsewhere each app's own are served.
STATIC_ROOT = os.environ.get("STATIC_ROOT") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MAX_BODY_BYTES = 3 * 1024 * 1024  # of any request; the largest form has a picture of 2 MB
MEDIA_URL = "media/"
MEDIA_ROOT = VAR_DIR / "media"

MAILER = "notifications.smtp.EmailBackend"
SMTP: dict[str, Any] = {
    "host": os.environ.get("EMAIL_HOST", "127.0.0.1"),
    "port": int(env_number("EMAIL_PORT", 1025)),
    "username": os.environ.get("EMAIL_HOST_USER", ""),
    "password": given_secret(os.environ, "EMAIL_HOST_PASSWORD"),
    "use_tls": env_flag("EMAIL_USE_TLS"),
    "timeout": 10,
}
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": MAILER, "OPTIONS": SMTP}}
else:
    EMAIL_BACKEND = MAILER
    EMAIL_HOST, EMAIL_PORT = SMTP["host"], SMTP["port"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = SMTP["username"], SMTP["password"]
    EMAIL_USE_TLS, EMAIL_TIMEOUT = SMTP["use_tls"], SMTP["timeout"]
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL") or "Aftercommit <noreply@example.com>"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "core.log_lines.LineFormatter",
            "fmt": "{levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": (os.environ.get("LOG_LEVEL") or "INFO").upper()},
}

# --- Celery ---------------------------------------------------------------------------------
CELERY_BROKER_URL, _user, _password = _rabbitmq or _redis
CELERY_BROKER_USER, CELERY_BROKER_PASSWORD = _user or None, _password or None
if _rabbitmq:
    # RabbitMQ 4.3 refuses how Celery reads other queues, and what it would make for countdowns,
    # which wait in the database here.
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    CELERY_BROKER_NATIVE_DELAYED_DELIVERY_QUEUE_TYPE = "classic"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"confirm_publish": True}
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
CELERY_TASK_IGNORE_RESULT = True  # a task that is to have results says ignore_result=False
CELERY_RESULT_EXPIRES = None  # RETENTION_DAYS, which ends them in small batches
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_SERIALIZER = "json"
CELERY_EVENT_SERIALIZER = "json"
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_TRACK_STARTED = True
# When the process of a call that never returns is killed: later than a drain and a lease are over.
# No soft limit beside it: with one, Celery doesn't begin to time a task's own shorter time_limit
# before the soft one is over; and amid an outside effect it would call failed what is uncertain.
_stops_within = (
    env_number("WORKER_STOPS_WITHIN", 200) if os.environ.get("WORKER_STOPS_WITHIN") else None
)
CELERY_TASK_TIME_LIMIT = check_time_limit(
    env_number("TASK_TIME_LIMIT", default_time_limit(_stops_within)), _stops_within
)
CELERY_WORKER_SEND_TASK_EVENTS = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True  # Celery's default-to-be
CELERY_DB_REUSE_MAX = 1000
CELERY_BEAT_SCHEDULE = {
    "retention": {
        "task": "core.retention.tasks.delete_expired",
        "schedule": 600,
        "options": {"expires": 600},  # while no worker runs, no messages pile up
    },
    "orphaned_pictures": {
        "task": "content.tasks.delete_orphaned_pictures",
        "schedule": 24 * 60 * 60,
        "options": {"expires": 24 * 60 * 60},
    },
}

# --- The outbox -----------------------------------------------------------------------------
OUTBOX_SWEEP_INTERVAL = env_number("OUTBOX_SWEEP_INTERVAL", 2)
OUTBOX_UNKNOWN_TASK_GRACE = env_number("OUTBOX_UNKNOWN_TASK_GRACE", 3600)
OUTBOX_CRASH_GRACE = (
    env_number("OUTBOX_CRASH_GRACE", 2) if "OUTBOX_CRASH_GRACE" in os.environ else None
)
OUTBOX_IDLE_LIMIT = (
    env_number("OUTBOX_IDLE_LIMIT", 190) if "OUTBOX_IDLE_LIMIT" in os.environ else None
)
OUTBOX_MAX_AGE = env_number("OUTBOX_MAX_AGE", 60)
OUTBOX_STALE_WORKER = (
    env_number("OUTBOX_STALE_WORKER", 30) if "OUTBOX_STALE_WORKER" in os.environ else None
)

# --- Notifications --------------------------------------------------------------------------
NOTIFICATIONS_RESEND_UNCONFIRMED = env_flag("NOTIFICATIONS_RESEND_UNCONFIRMED")
NOTIFICATIONS_MAX_FAILED = env_number("NOTIFICATIONS_MAX_FAILED", 20)
NOTIFICATIONS_DIGEST_SECONDS = env_number("NOTIFICATIONS_DIGEST_SECONDS", 600)
NOTIFICATIONS_ARTICLES_PER_HOUR = env_count("NOTIFICATIONS_ARTICLES_PER_HOUR", 10)
NOTIFICATIONS_ARTICLES_PER_DAY = env_count("NOTIFICATIONS_ARTICLES_PER_DAY", 40)
NOTIFICATIONS_COMMENTS_PER_HOUR = env_count("NOTIFICATIONS_COMMENTS_PER_HOUR", 60)
NOTIFICATIONS_COMMENTS_PER_DAY = env_count("NOTIFICATIONS_COMMENTS_PER_DAY", 300)
NOTIFICATIONS_MAILS_PER_HOUR = env_count("NOTIFICATIONS_MAILS_PER_HOUR", 30)
NOTIFICATIONS_MAILS_PER_DAY = env_count("NOTIFICATIONS_MAILS_PER_DAY", 150)

# --- Retention: the days after which rows end; None keeps them for ever ---------------------
RETENTION_DAYS: dict[str, int | None] = {
    "admin_log": 365,  # Django's own, of what was done in the admin
    "audit": 365,
    "deliveries": 180,  # settled ones
    "dead_letters": 365,  # and uncertain calls; the health pages have told of them all the time
    "logins": 90,  # those that failed
    "results": 1,
    "group_results": 1,
    "session_records": 1,  # of sessions that are over
    "sessions": 1,  # after they are over
    "sign_ups": 14,  # whose address nobody verified
}
RETENTION_DAYS |= read_days(os.environ.get("RETENTION_DAYS", ""))

# --- Auditing: which models, and which of their fields --------------------------------------
AUDIT_MODELS: dict[str, dict[str, list[str]]] = {
    "content.Product": {},
    "content.Article": {"exclude": ["view_count", "updated_at"]},
    "content.Comment": {},
    "content.Author": {"exclude": ["article_count"]},
    "content.Category": {"exclude": ["article_count"]},
    "content.Profile": {},
    "auth.User": {"exclude": ["last_login"]},  # a password is masked
    "auth.Group": {},
}
