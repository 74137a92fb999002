"""Django's MySQL and MariaDB backend with the commit hook: ``"ENGINE": "core.db.mysql"``."""

import pymysql

# Django speaks to mysqlclient, which has to be compiled; this driver has its face.
pymysql.install_as_MySQLdb()

from django.db.backends.mysql import base  # noqa: E402

from core.db.hook import OutboxMixin  # noqa: E402


class DatabaseWrapper(OutboxMixin, base.DatabaseWrapper):
    """A MySQL or MariaDB connection that stores its calls before COMMIT."""
