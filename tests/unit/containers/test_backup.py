"""The commands that the containers are backed up and restored by."""

from tests.containers.backup import blocks


def test_of_the_page() -> None:
    """They back up, restore, and hold the mails back before a worker starts."""
    backup, restore, hold = blocks()
    assert "pg_dump" in backup
    assert "pg_restore" in restore
    assert hold.index("UPDATE") < hold.index("docker compose up")
    commands = [line for text in (backup, restore) for line in text.splitlines()]
    assert [line for line in commands if not line.startswith("docker compose ")] == []
