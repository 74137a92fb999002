"""The result backend: what is in it, and what it brings together."""

from celery import chain, chord, group
from pytest_celery import CeleryTestSetup, add, identity, xsum

TIMEOUT = 30


def test_result_is_stored(celery_setup: CeleryTestSetup) -> None:
    """A result is in the backend under its task's id, and gone when it is forgotten."""
    result = identity.s("kept").apply_async(queue=celery_setup.worker.worker_queue)
    assert result.get(TIMEOUT) == "kept"
    backend = celery_setup.backend.container.client
    assert backend.keys("celery-task-meta-*") == [f"celery-task-meta-{result.id}"]
    result.forget()
    assert backend.keys("celery-task-meta-*") == []


def test_canvas(celery_setup: CeleryTestSetup) -> None:
    """Chains, groups and chords, which the backend holds together, come to their end."""
    queue = celery_setup.worker.worker_queue
    chained = chain(add.s(1, 2), add.s(3)).apply_async(queue=queue)
    grouped = group(add.s(n, n) for n in range(3)).apply_async(queue=queue)
    summed = chord((add.s(n, n) for n in range(3)), xsum.s()).apply_async(queue=queue)
    assert chained.get(TIMEOUT) == 6
    assert grouped.get(TIMEOUT) == [0, 2, 4]
    assert summed.get(TIMEOUT) == 6


def test_restarted_backend(celery_setup: CeleryTestSetup) -> None:
    """Results come again after the backend was restarted."""
    celery_setup.backend.restart()
    result = identity.s("after").apply_async(queue=celery_setup.worker.worker_queue)
    assert result.get(TIMEOUT) == "after"
