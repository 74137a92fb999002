"""System checks of the site."""

import re
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from core.checks import check_former_data
from tests.unit.core.stack.test_preflight import former_table

SAID = "was made by an earlier version of this project"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _former() -> Iterator[None]:
    """A database that an earlier version made."""
    with former_table():
        yield


class TestFormerData:
    """``core.E001``."""

    def test_success(self) -> None:
        """A database of this version passes."""
        assert check_former_data(databases=["default"]) == []

    @pytest.mark.every_database
    @pytest.mark.usefixtures("_former")
    def test_fail(self) -> None:
        """``manage.py migrate`` alone refuses it too, before it applies anything."""
        name = re.escape(str(connection.settings_dict["NAME"]))
        with pytest.raises(SystemCheckError, match=f"core.E001.*{name} {SAID}"):
            call_command("migrate", skip_checks=False)

    @pytest.mark.usefixtures("_former")
    def test_without_a_database(self) -> None:
        """A check that is to ask no database asks none."""
        call_command("check")
