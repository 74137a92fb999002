"""The parameters by which a connection to PostgreSQL notices that its server's host is gone."""

from typing import Any

import pytest

from aftercommit.db.postgresql.vanished import PARAMETERS, complete


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGCONNECT_TIMEOUT", raising=False)
    monkeypatch.delenv("PGSERVICE", raising=False)


def test_defaults() -> None:
    """A project that says nothing of them has them all, beside its own."""
    assert complete({"dbname": "shop"}) == {**PARAMETERS, "dbname": "shop"}


@pytest.mark.parametrize(
    "given", [{"tcp_user_timeout": 20_000}, {"keepalives": 0}, {"connect_timeout": None}]
)
def test_project_goes_before(given: dict[str, Any]) -> None:
    """A value of the project holds, 0 and None too, beside the defaults of the others."""
    assert complete(given) == {**PARAMETERS, **given}


def test_service() -> None:
    """A service has parameters of its own, which stay as they are."""
    assert complete({"service": "shop"}) == {"service": "shop"}


def test_service_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """So has one that the environment names."""
    monkeypatch.setenv("PGSERVICE", "shop")
    assert complete({"dbname": "shop"}) == {"dbname": "shop"}


def test_timeout_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out in the environment holds as well."""
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "30")
    assert "connect_timeout" not in complete({})
    assert "tcp_user_timeout" in complete({})
