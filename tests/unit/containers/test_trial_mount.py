"""The tasks of the tests reach the containers that run or send them."""

from typing import Any

from tests.containers.trial_mount import FILE, add_tasks


def test_added() -> None:
    """Their file is where calls are made and run, and is the app on the command lines."""
    command = ["celery", "-A", "celery_app", "worker"]
    config: dict[str, Any] = {
        "services": {"web": {"command": None}, "worker": {"command": command}, "flower": {}}
    }
    add_tasks(config)
    place = {"type": "bind", "source": str(FILE), "target": f"/app/{FILE.name}", "read_only": True}
    assert config["services"] == {
        "web": {"command": None, "volumes": [place]},
        "worker": {"command": ["celery", "-A", FILE.stem, "worker"], "volumes": [place]},
        "flower": {},
    }
