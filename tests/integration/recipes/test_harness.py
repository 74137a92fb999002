"""The harness fails for what doesn't run, and for output that differs."""

import pytest

from tests.integration.recipes.output import matches
from tests.integration.recipes.page import Page, PageError, parse_page, phases
from tests.integration.recipes.recipe import Make, SnippetError, spread
from tests.integration.recipes.running import run_phases
from tests.integration.recipes.shell import Command, check_installed, commands


def block(language: str, text: str) -> str:
    """Return a block of Markdown."""
    return f"\n```{language}\n{text}\n```\n"


def page(text: str) -> Page:
    """Return a page with this text."""
    return parse_page("page.md", text)


def command(line: str) -> Command:
    """Return a line of a shell's block."""
    ((found, _),) = commands(page(block("sh", line)).blocks[0])
    return found


class TestPage:
    @pytest.mark.parametrize(
        ("text", "error"),
        [
            (block("toml", "a = 1"), "page.md:2: a block of 'toml' can't be run"),
            (block("", "what"), "a block of 'no language' can't be run"),
            (block("text", "shown"), "shown by nothing that is run"),
            (block("python", "# shop/a.py") + block("text", "shown"), "by nothing that is run"),
            ("<!-- not run -->" + block("toml", "a = 1"), "page.md:1: say why"),
            ("<!-- notrun: why -->" + block("sh", "make"), "means nothing. These do: fails,"),
            ("<!-- base: none -->" + block("sh", "make"), "base is one of adopted, plain"),
            ("<!-- fails -->\nprose", "no block follows"),
        ],
    )
    def test_refused(self, text: str, error: str) -> None:
        """What can't be run is refused, unless the page says why it isn't run."""
        with pytest.raises(PageError, match=error):
            phases(page(text).blocks)

    def test_not_run(self) -> None:
        """A block that is marked with a reason is listed, and none of it is run."""
        made = page("<!-- not run: it needs\na clone -->" + block("sh", "make test"))
        (listed,) = made.not_run
        assert (listed.place, listed.marks["not run"]) == ("page.md:3", "it needs a clone")
        assert phases(made.blocks)[0].steps == ()

    def test_order(self) -> None:
        """Files come first; a file that is replaced begins another phase."""
        replaced = "<!-- replace -->" + block("python", "# a.py\n2")
        text = block("sh", "ls") + block("python", "# a.py\n1") + replaced + block("sh", "pwd")
        first, second = phases(page(text).blocks)
        assert [each.path for each in (*first.files, *second.files)] == ["a.py", "a.py"]
        assert [step.block.text for step in (*first.steps, *second.steps)] == ["ls\n", "pwd\n"]

    def test_projects(self) -> None:
        """A page can be about several projects, each with a base of its own."""
        other = "<!-- project: other -->\n<!-- base: plain -->" + block("sh", "pwd")
        found = page(block("sh", "ls") + other).projects
        assert {name: blocks[0].base for name, blocks in found.items()} == {
            "": "adopted",
            "other": "plain",
        }

    def test_nested(self) -> None:
        """A block in a list is a block."""
        assert page("- one\n\n  ```sh\n  ls\n  ```\n").blocks[0].text == "ls\n"


class TestShell:
    @pytest.mark.parametrize(
        ("line", "stays", "manages"),
        [
            ("celery -A mysite worker", True, False),
            ("celery -A mysite beat", True, False),
            ("celery -A mysite inspect ping", False, False),
            ("uvicorn mysite.asgi:application", True, False),
            ("python manage.py runserver", True, False),
            ("python manage.py outbox status  # all of them", False, True),
            ("manage.py check", False, True),
            ("python manage.py outbox status | head", False, False),
            ("python manage.py test", False, False),
            ("sh endless.sh &", True, False),
        ],
    )
    def test_kinds(self, line: str, stays: bool, manages: bool) -> None:
        """A worker or a server runs on, and ``manage.py`` needs no process of its own."""
        found = command(line)
        assert (found.stays, found.manage is not None) == (stays, manages)

    @pytest.mark.parametrize(
        "name",
        ["aftercommit[redis,postgresql]", "aftercommit", "dist/aftercommit-1.whl[redis]", "."],
    )
    def test_installed(self, name: str) -> None:
        """The library, from wherever, with extras that it has."""
        check_installed(page(block("sh", "ls")).blocks[0], (name,))

    @pytest.mark.parametrize("name", ["aftercommit[rabbits]", "no-such-package", "redis["])
    def test_not_installed(self, name: str) -> None:
        """An extra or a package that there isn't is refused."""
        with pytest.raises(PageError):
            check_installed(page(block("sh", "ls")).blocks[0], (name,))

    def test_console(self) -> None:
        """A console's block has commands and their output."""
        found = commands(page(block("console", "$ a\none\ntwo\n$ b")).blocks[0])
        assert [(each.line, output) for each, output in found] == [("a", "one\ntwo\n"), ("b", "")]


class TestOutput:
    @pytest.mark.parametrize(
        ("shown", "written"),
        [
            ("a  b", "a b\n"),
            ("took 1.5 s", "took 17.25 s"),
            ("begin…end", "begin and\tend"),
            ("first\n…\nlast", "first\nlast"),
            ("first\n…\nlast", "first\n2\n3\nlast\n"),
        ],
    )
    def test_same(self, shown: str, written: str) -> None:
        """Spaces, measured figures and what ``…`` stands for can differ."""
        assert matches(shown, written)

    @pytest.mark.parametrize(
        ("shown", "written"), [("1 call", "2 calls"), ("a", "a\nb"), ("a…", "b"), ("a\n…", "b\na")]
    )
    def test_different(self, shown: str, written: str) -> None:
        """Anything else can't."""
        assert not matches(shown, written)


def test_settings() -> None:
    """``...`` stands for the entries of before."""
    before = 'A = []\nAPPS = [..., "x"]\nDATABASES = {"default": {"ENGINE": "y", ...}}\n'
    values = {"APPS": ["w"], "DATABASES": {"default": {"NAME": "z"}}}
    exec(spread(before), values)  # noqa: S102
    assert values["APPS"] == ["w", "x"]
    assert values["DATABASES"] == {"default": {"ENGINE": "y", "NAME": "z"}}


def test_steps(recipe: Make) -> None:
    """Each kind of step runs in the project, and each fails where it differs from the page."""
    made = recipe()

    def run(*blocks: str) -> None:
        run_phases(made, phases(page("".join(blocks)).blocks))

    run(block("python", "order = Order.objects.create()\nprint(1)"), block("text", "1"))
    run(block("python", ">>> order.receipts.count()\n0"), block("sql", "SELECT id FROM shop_order"))
    run(block("python", "import asyncio\nawait asyncio.sleep(0)"))
    run(block("console", "$ python manage.py outbox status\ndefault: oldest due call -\n…"))
    run("<!-- fails -->", block("python", "raise OSError('why')"), block("text", "OSError: why"))
    run("<!-- fails -->", block("sh", "manage.py outbox nothing"))
    run("<!-- hidden\nassert order.pk\n-->")
    for wrong in (
        block("python", "1 / 0"),
        block("python", "print(1)") + block("text", "2"),
        block("python", ">>> order.receipts.count()\n1"),
        block("sql", "SELECT nothing FROM shop_order"),
        block("sh", "manage.py outbox nothing"),
        block("console", "$ python manage.py outbox status\nfine"),
        "<!-- fails -->" + block("python", "1"),
        "<!-- hidden\nassert not order.pk\n-->",
    ):
        with pytest.raises(SnippetError, match=r"page\.md:\d"):
            run(wrong)


def test_from_the_wheel(recipe: Make) -> None:
    """The library is the wheel's, and nothing of the repository is at hand."""
    made = recipe()
    made.python("import aftercommit")
    assert made.value("aftercommit.__file__").startswith(str(made.around.wheel))
    with pytest.raises(SnippetError, match="No module named 'tests'"):
        made.python("import tests.integration")
