#!/usr/bin/env python3
"""Django's command line for this project."""

import os
import sys

SHARED = {"collectstatic", "compilemessages", "makemessages", "makemigrations", "squashmigrations"}
"""The commands that write code, or what a web server is to read. Others write data."""

if __name__ == "__main__":
    if not SHARED.intersection(sys.argv[1:2]):
        os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
