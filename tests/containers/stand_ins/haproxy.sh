#!/bin/sh
# A stand-in for the entrypoint of the official image: a master process in the foreground, and its worker.
set -eu
if [ "$1" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
