"""The whole system on throw-away data, and a browser that complains of every error."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from core.stack.config import RunConfig
from core.stack.servers import ServerError
from core.stack.stack import Stack
from tests.browser.opening import open_browser
from tests.browser.person import Person
from tests.browser.postbox import Postbox
from tests.tools.demo.progress import QuietConsole, Screen
from tests.tools.servers.browser import find_programs


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The system with the demo's users, whose addresses are verified."""
    folder = tmp_path_factory.mktemp("stack") / "var"
    console = QuietConsole(Screen(StringIO()))
    with Stack(RunConfig.throw_away(Path(folder)), console) as stack:
        yield stack


@pytest.fixture
def chrome() -> Iterator[Chrome]:
    """A browser with no cookies."""
    try:
        programs = find_programs()
    except ServerError as error:
        pytest.skip(str(error))
    with open_browser(programs) as chrome:
        yield chrome


@pytest.fixture
def person(chrome: Chrome, stack: Stack) -> Iterator[Person]:
    """Somebody at the browser. At the end its console must be empty."""
    person = Person(chrome, stack.config.site_url)
    yield person
    assert person.complaints() == []


@pytest.fixture
def postbox(stack: Stack) -> Postbox:
    """The mails that the site has sent."""
    return Postbox(stack.config.mail_directory)
