"""How long the log keeps an entry. Nothing else deletes one."""

from core.retention.kinds import Kind, register_kind

from .models import AuditLog

register_kind(Kind("audit", AuditLog, "timestamp"))
