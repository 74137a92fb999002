"""How long a failed log-in is kept."""

from core.retention.kinds import Kind, register_kind

from .models import FailedLogin

register_kind(Kind("logins", FailedLogin, "at"))
