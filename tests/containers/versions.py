"""Other versions of the site: the files of this one, changed, on top of its image."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.containers.compose import IMAGE, PROJECT
from tests.containers.docker import Docker

FIRST, SECOND, BROKEN = f"{IMAGE}:first", f"{IMAGE}:second", f"{IMAGE}:broken"

DOCKERFILE = f"""
FROM {IMAGE}
COPY files /app/
USER 0
RUN chmod -R a+rX /app && python -m compileall -q /app/content /app/core
USER 10001:10001
"""

MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("content", "{last}")]
    operations = [migrations.AddField("comment", "words", models.IntegerField(null=True))]
"""

COLUMN = """    text = models.TextField(**at_most(COMMENT_MAX_LENGTH))
    words = models.IntegerField(null=True)
"""

TASKS = '''

@shared_task
def count_words(comment_id: int) -> None:
    """Count the words of a comment: a task that the version before does not have."""
    from .models import Comment

    comment = Comment.objects.get(pk=comment_id)
    Comment.objects.filter(pk=comment_id).update(words=len(comment.text.split()))


@shared_task
def tick() -> None:
    """Do nothing, each second."""
'''

RECEIVER = """

@receiver(post_save, sender="content.Comment")
def comment_created_count_words(instance, created, **kwargs):
    if created:
        tasks.count_words.delay_on_commit(comment_id=instance.pk)
"""

SCHEDULE = """
CELERY_BEAT_SCHEDULE["content_tick"] = {"task": "content.tasks.tick", "schedule": 1}
"""


def build_second(docker: Docker) -> None:
    """Build a version with another column, a new task, a new argument, and a new periodic task."""
    migrations = PROJECT / "content/migrations"
    last = max(each.stem for each in migrations.glob("0*.py"))
    text = "    text = models.TextField(**at_most(COMMENT_MAX_LENGTH))\n"
    files = {
        f"content/migrations/{int(last[:4]) + 1:04}_words.py": MIGRATION.format(last=last),
        "content/models.py": changed("content/models.py", text, COLUMN),
        "content/tasks.py": (PROJECT / "content/tasks.py").read_text() + TASKS,
        "content/receivers.py": (PROJECT / "content/receivers.py").read_text() + RECEIVER,
        "core/settings.py": (PROJECT / "core/settings.py").read_text() + SCHEDULE,
        "notifications/tasks.py": changed(
            "notifications/tasks.py", "again: bool = False)", "again: bool = False, by: int = 1)"
        ),
        "notifications/receivers.py": changed(
            "notifications/receivers.py", "again=again)", "again=again, by=2)"
        ),
    }
    build(docker, SECOND, files)


def build_broken(docker: Docker) -> None:
    """Build a version whose web servers end as they start. Its workers are well."""
    build(docker, BROKEN, {"core/asgi.py": 'raise SystemExit("This version is broken.")\n'})


def changed(name: str, before: str, after: str) -> str:
    """Return the text of the file with one change, at the first place."""
    text = (PROJECT / name).read_text()
    assert re.search(re.escape(before), text), f"{name} has no {before!r}"
    return text.replace(before, after, 1)


def build(docker: Docker, image: str, files: Mapping[str, str]) -> None:
    """Build the image with these files in place of those of this version."""
    with tempfile.TemporaryDirectory(prefix="version-") as name:
        folder = Path(name)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        for path, text in files.items():
            place = folder / "files" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        docker("build", "--network", "none", "--tag", image, str(folder))
