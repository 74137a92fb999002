"""The user of a process, as the log names who operated the outbox."""

import os
import pwd
import socket


def system_user() -> str:
    """Return the user of this process for the log: ``name@host``, with the caller of sudo."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        name = f"uid {os.getuid()}"
    user = f"{name}@{socket.gethostname()}"
    caller = os.environ.get("SUDO_USER")
    return f"{caller} as {user}" if caller else user
