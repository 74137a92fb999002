"""One figure follows from the other: how long a call may run, and how long a stop waits for it."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from core.stopping import check_time_limit, default_time_limit


def test_default() -> None:
    """A call is killed by its limit, before the stop kills it."""
    assert default_time_limit(None) == 180
    assert default_time_limit(200) == 180
    assert default_time_limit(60) == 40
    with pytest.raises(ImproperlyConfigured, match=r"WORKER_STOPS_WITHIN=20 is too short"):
        default_time_limit(20)


def test_given() -> None:
    """A limit that no stop would wait for is refused, with the figure that would do."""
    assert check_time_limit(600, None) == 600
    assert check_time_limit(180, 200) == 180
    with pytest.raises(ImproperlyConfigured, match=r"Set WORKER_STOPS_WITHIN=620, or"):
        check_time_limit(600, 200)
    with pytest.raises(ImproperlyConfigured, match=r"Set WORKER_STOPS_WITHIN=201, or"):
        check_time_limit(181, 200)
