"""pytest-docker-tools told that its containers are processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
from pytest_docker_tools.exceptions import TimeoutError as ContainerTimeoutError

from core.stack.waiting import wait_until

WRAPPERS = "pytest_docker_tools.wrappers.container"
POLLING = (
    "pytest_docker_tools.factories.container",
    WRAPPERS,
    "pytest_celery.api.container",
    "pytest_celery.api.base",
)
"""The modules that hold ``wait_for_callable`` under its name."""


@contextmanager
def containers_are_processes() -> Iterator[None]:
    """Within, addresses are the host's, and a wait ends when its condition is met.

    pytest-docker-tools looks at its condition once a second, which suits an image that is being
    started, and asks ``/.dockerenv`` whether to use a container's own address: a process has the
    host's even where the host is a container itself.
    """
    with pytest.MonkeyPatch.context() as patch:
        # By the module: "factories.container" as an attribute is the function of that name.
        patch.setattr(import_module(WRAPPERS), "tests_inside_container", lambda: False)
        for module in POLLING:
            patch.setattr(import_module(module), "wait_for_callable", wait_for_callable)
        yield


def wait_for_callable(message: str, func: Callable[[], object], timeout: int = 30) -> None:
    """Return once ``func()`` is true; as pytest-docker-tools' function, but soon after."""
    try:
        wait_until(func, timeout, message)
    except TimeoutError as error:
        raise ContainerTimeoutError(f"Timeout of {timeout}s exceeded: {message}") from error
