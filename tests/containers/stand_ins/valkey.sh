#!/bin/sh
# A stand-in for the entrypoint of the official image, which becomes the user valkey if it is root.
set -eu
if [ "$1" = valkey-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user valkey -exec chown valkey {} +
    exec setpriv --reuid=valkey --regid=valkey --clear-groups -- "$0" "$@"
fi
if [ "$1" = valkey-server ]; then
    set -- "$@" --protected-mode no
fi
umask 0077
exec "$@"
