"""For how long a call may run where somebody stops a worker and waits for it."""

from django.core.exceptions import ImproperlyConfigured

MORE = 20
"""Seconds that a worker needs beside its longest call: for the rest of a drain, and to end."""

LONGEST_CALL = 180


def default_time_limit(stops_within: float | None) -> float:
    """Return the seconds after which a call is killed, so that it is never the stop that kills it.

    ``stops_within`` are the seconds that a worker has to stop, or None if nobody says so. Raises
    ImproperlyConfigured if they are too few for any call.
    """
    if stops_within is None:
        return LONGEST_CALL
    if stops_within <= MORE:
        raise ImproperlyConfigured(
            f"WORKER_STOPS_WITHIN={stops_within:g} is too short: a worker needs {MORE} s beside "
            f"its longest call. Set for example WORKER_STOPS_WITHIN={LONGEST_CALL + MORE}."
        )
    return stops_within - MORE


def check_time_limit(limit: float, stops_within: float | None) -> float:
    """Return the limit. Raises ImproperlyConfigured if a stop would kill a call before it."""
    if stops_within is not None and limit > stops_within - MORE:
        raise ImproperlyConfigured(
            f"TASK_TIME_LIMIT={limit:g} is longer than a worker has to finish a call before it "
            f"is killed. Set WORKER_STOPS_WITHIN={limit + MORE:g}, or leave TASK_TIME_LIMIT out."
        )
    return limit
