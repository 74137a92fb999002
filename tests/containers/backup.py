"""A backup and its restore, by the commands of the page about Compose."""

import re

from tests.containers.compose import NAME, PROJECT, Compose, program
from tests.containers.errors import Broken
from tests.containers.truth import settled

PAGE = PROJECT / "docs" / "how-to" / "deploy-compose.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
WORDS = """
docker() {{ shift; {compose} "$@"; }}
cd {folder}
"""
"""The word ``docker``, which ``compose`` follows in each command of the page."""

FORGET = "from content.models import Article; Article.objects.all().delete()"


def blocks() -> list[str]:
    """Return the commands of the page: to back up, to restore, and to hold the mails back."""
    section = PAGE.read_text().partition("\n## Backups\n")[2].partition("\n## ")[0]
    return BLOCK.findall(section)


def check(compose: Compose) -> str:
    """Restore what was deleted after a backup. Raises Broken if an article is not back."""
    before = settled(compose).database["articles"]
    backup, *restore = blocks()
    run(compose, backup)
    compose("exec", "-T", "web", "python", "manage.py", "shell", "-c", FORGET)
    for block in restore:
        run(compose, block)
    after = settled(compose).database["articles"]
    if after != before:
        raise Broken(f"There were {len(before)} articles, and the restore has {len(after)}.")
    return f"{len(after)} articles are back"


def run(compose: Compose, commands: str) -> None:
    """Run the commands, which are about a Compose file that lies in the folder of a person."""
    options = f"--project-name {NAME} --file {compose.file} --progress plain"
    words = WORDS.format(compose=f"{program()} {options}", folder=compose.folder)
    compose.docker.run(["sh", "-ec", words + commands])
