"""What the tests ask of a node, in the words of a condition to wait for."""

from pytest_celery import CeleryTestNode

from core.stack.waiting import wait_until


def has_exited(node: CeleryTestNode) -> bool:
    """Whether the node's container has ended by now."""
    node.container.reload()
    return node.container.status == "exited"


def wait_until_exited(node: CeleryTestNode, timeout: float = 20) -> None:
    """Return once the node's container has ended."""
    wait_until(lambda: has_exited(node), timeout, lambda: f"the end of:\n{node.logs()}")
