"""Django's MySQL backend with the commit hook, also for MariaDB.

Set ``"ENGINE": "aftercommit.db.mysql"``.
"""

from aftercommit.db.mysql.driver import provide_driver

provide_driver()

from django.db.backends.mysql import base  # noqa: E402  # it imports the driver

from aftercommit.db.mysql.hook import MySQLMixin  # noqa: E402


class DatabaseWrapper(MySQLMixin, base.DatabaseWrapper):
    """Django's connection to MySQL or MariaDB, with the commit hook."""
