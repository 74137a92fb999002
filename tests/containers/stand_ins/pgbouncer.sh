#!/bin/bash
# A stand-in for the entrypoint of edoburu/pgbouncer: it makes a setting of each variable that names one.
set -euo pipefail
{
    echo "[databases]"
    echo "$DB_NAME = host=$DB_HOST port=${DB_PORT:-5432} auth_user=${DB_USER:-postgres}"
    echo "[pgbouncer]"
    echo "listen_addr = 0.0.0.0"
    echo "listen_port = 5432"
    echo "unix_socket_dir ="
    echo "ignore_startup_parameters = extra_float_digits"
    env | sed -nE 's/^((AUTH|POOL|DEFAULT|MAX|QUERY|SERVER|TCP|LOG)_[A-Z_]+)=/\L\1\E = /p'
} > /etc/pgbouncer/pgbouncer.ini
cat /etc/pgbouncer/pgbouncer.ini
exec "$@"
