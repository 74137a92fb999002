"""Call what can hang, so that the test fails and the run goes on."""

import threading
from collections.abc import Callable

from core.stack.waiting import wait_until


def finish(send: Callable[[], object]) -> Exception | None:
    """Call the function in a thread that may hang. Return what it raised."""
    raised: list[Exception | None] = []

    def run() -> None:
        try:
            send()
        except Exception as error:  # noqa: BLE001  # for the test to look at
            raised.append(error)
        else:
            raised.append(None)

    threading.Thread(target=run, daemon=True).start()
    wait_until(lambda: raised, 20, "the end of what may hang")
    return raised[0]
