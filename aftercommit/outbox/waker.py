"""The thread that sends wake-ups and other messages, so that nobody else waits for the broker."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from functools import partial

from amqp.exceptions import ChannelError
from kombu.exceptions import SerializationError

from aftercommit.outbox.turns import Target, Turn, read_turns

logger = logging.getLogger(__name__)

PAUSE = 0.01
"""Seconds between two rounds of wake-ups. Commits in between share a round, because each round
holds the interpreter's lock for as long as a request does."""

OUTAGE_PAUSE = 1.0
"""Seconds between two rounds while the broker is down."""

MAX_WAITING = 1000
"""The most messages that can wait for the thread."""

OWN_FAULTS = (TypeError, ValueError, LookupError, AttributeError, SerializationError)
"""Errors of the message itself, such as a queue that isn't configured. Others are the broker's."""

NO_METHOD = (0, 0)
"""What py-amqp names as the method that failed while it connects."""

Message = Callable[[], object]
"""A function that sends something to the broker."""


def is_own_fault(error: Exception) -> bool:
    """Return whether the error is that of one message, so that others can be sent.

    RabbitMQ closes the channel of a message whose queue was declared otherwise. It does the same to
    refuse a login, where no method is named.
    """
    if isinstance(error, ChannelError):
        return error.method_sig != NO_METHOD
    return isinstance(error, OWN_FAULTS)


class Waker:
    """A thread that sends what it is asked for by ``send``. It starts with the first wake-up."""

    def __init__(self, send: Callable[[str, str, Turn], object]) -> None:
        self._send_wake_up = send
        self._changed = threading.Condition()
        self._wanted = threading.Event()
        self._hurry = threading.Event()
        self._targets: dict[Target, None] = {}
        self._messages: deque[Message] = deque(maxlen=MAX_WAITING)
        self._sending = False
        self._resting = False
        self._thread: threading.Thread | None = None
        self._seen: dict[Target, Turn] = {}
        self._warned: set[object] = set()
        """The keys of the warnings that are not logged again."""

    def wake(self, targets: Iterable[Target]) -> None:
        """Have each task of ``targets`` woken soon. Returns at once and never raises."""
        with self._changed:
            self._targets.update(dict.fromkeys(targets))
            if self._thread is None:
                self._start()
        if not self._wanted.is_set():
            self._wanted.set()

    def send(self, message: Message) -> None:
        """Have the function called soon. Returns at once and never raises.

        Drops it while the broker is down, and the oldest one where too many wait.
        """
        if self._resting:
            self._drop(message)
            return
        with self._changed:
            is_full = len(self._messages) == MAX_WAITING
            self._messages.append(message)
        if is_full:
            text = "More than %d messages wait to be sent, the oldest are dropped"
            self._warn_once("full", text, MAX_WAITING)
        self.wake(())

    def flush(self, seconds: float) -> bool:
        """Wait until all is sent, ``seconds`` at most. Return whether it is."""
        self._hurry.set()
        try:
            with self._changed:
                return self._changed.wait_for(self._is_idle, seconds)
        finally:
            self._hurry.clear()

    @property
    def has_started(self) -> bool:
        """Return whether there ever was something to send."""
        return self._thread is not None

    def _is_idle(self) -> bool:
        return not (self._targets or self._messages or self._sending)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="outbox-wake", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down; the sweep finds the rows
            return
        self._thread = thread

    def _run(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            with self._changed:
                targets, self._targets, self._sending = self._targets, {}, True
                messages, self._messages = self._messages, deque(maxlen=MAX_WAITING)
            self._send(targets, messages)
            with self._changed:
                self._sending = False
                self._changed.notify_all()
            self._hurry.wait(OUTAGE_PAUSE if self._resting else PAUSE)
            if not self._resting:
                self._look_ahead(targets)
            self._resting = False

    def _send(self, targets: Collection[Target], messages: Iterable[Message]) -> None:
        """Send all, up to the first that meets no broker. The others would meet none either."""
        known = {target: self._seen.pop(target) for target in targets if target in self._seen}
        known.update(read_turns(target for target in targets if target not in known))
        for target, turn in known.items():
            self._try(partial(self._send_wake_up, *target, turn), target)
        for message in messages:
            self._try(message, "message")

    def _look_ahead(self, targets: Collection[Target]) -> None:
        """Read the turns that the next wake-ups need, so that these go out 0.6 ms earlier.

        Keep only turns that allow sending. One that forbids it may be stale.
        """
        for target, turn in read_turns(targets).items():
            if not turn.is_woken:
                self._seen[target] = turn._replace(is_old=True)

    def _try(self, message: Message, what: object) -> None:
        if self._resting:
            self._drop(message)
            return
        try:
            message()
        except Exception as error:  # noqa: BLE001  # whatever it is, the sweep finds the rows
            self._say(error, what)
        else:
            self._warned.discard("outage")

    def _say(self, error: Exception, what: object) -> None:
        if is_own_fault(error):
            self._warn_once((what, type(error)), "Not sent: %s: %s", what, error)
            return
        self._resting = True
        self._warn_once("outage", "Wake-ups not sent, the sweep will find the rows: %s", error)

    def _drop(self, message: Message) -> None:
        logger.debug("Not sent, the broker is down: %r", message)

    def _warn_once(self, key: object, text: str, *values: object) -> None:
        """Log a warning once: an outage, for example, and not each message that meets it."""
        logger.log(logging.DEBUG if key in self._warned else logging.WARNING, text, *values)
        self._warned.add(key)
