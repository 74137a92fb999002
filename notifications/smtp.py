"""Django's SMTP backend, which also says whether a broken connection may have sent the mail."""

import smtplib
from typing import TYPE_CHECKING, Any

from django.core.mail.backends import smtp

if TYPE_CHECKING:
    from smtplib import SMTP as _Base
else:
    _Base = object


class _HandOver(_Base):
    """A connection that remembers whether it sent the whole of a message.

    smtplib sends its commands as str and the message, with the dot that ends it, as bytes.
    """

    handed_over = False

    def send(self, s: Any) -> None:
        super().send(s)
        self.handed_over = isinstance(s, bytes)


class _SMTP(_HandOver, smtplib.SMTP):
    pass


class _SMTPWithTLS(_HandOver, smtplib.SMTP_SSL):
    pass


class EmailBackend(smtp.EmailBackend):
    """The mail backend of this site, which ``send_delivery`` asks for ``handed_over``."""

    @property
    def connection_class(self) -> Any:
        """Return smtplib's class, plain or with TLS from the start."""
        return _SMTPWithTLS if self.use_ssl else _SMTP

    @property
    def handed_over(self) -> bool:
        """Return whether the last thing sent was a whole message, and not a command."""
        return getattr(self.connection, "handed_over", False)
