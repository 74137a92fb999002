"""Clients that are slow on purpose, and whether a site still answers everybody else.

    python -m tests.tools.slow_clients --port 8000

Everything is bounded: so many connections, for so many seconds, to a site on this machine.
"""
