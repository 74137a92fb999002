"""The whole system as one object: checked, started, ready, stopped."""

import fcntl
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from core.stack import preflight
from core.stack.config import ConfigError, RunConfig
from core.stack.console import Console
from core.stack.environments import site_environment
from core.stack.interrupt import Interrupt
from core.stack.programs import STOP_ORDER, programs
from core.stack.secret_file import kept_secret
from core.stack.supervisor import Supervisor

START_TIMEOUT = 180


class Stack:
    """The system, run in the background of this process. Inside the context manager it is ready.

    Start it from a thread that lives as long as the system, for example the main thread. Linux ends
    the processes when the thread that started them ends.
    """

    def __init__(
        self,
        config: RunConfig,
        console: Console | None = None,
        interrupt: Interrupt | None = None,
    ) -> None:
        self.config = config
        self.console = console or Console()
        self.interrupt = interrupt
        self.supervisor: Supervisor | None = None
        self.is_flower_login_given = bool(config.flower_login)
        self._lock: IO[str] | None = None
        self._started = 0.0

    def start(self) -> None:
        """Start everything. Raises ConfigError before that if something is in the way."""
        self._started = time.monotonic()
        preflight.check_folder(self.config)
        self._lock_folder()
        try:
            preflight.check(self.config)
            self.supervisor = self._supervisor()
            self.supervisor.start()
        except BaseException:
            self.stop()
            raise

    def wait_ready(self, timeout: float = START_TIMEOUT) -> None:
        """Return when every process answers. Raises StackError if one can't."""
        self._running().wait_ready(timeout)

    def watch(self) -> None:
        """Keep everything running until a signal asks to stop."""
        self._running().watch()

    def check(self) -> None:
        """Start again what has ended since the last look."""
        self._running().check()

    def stop(self) -> None:
        """Stop everything in good order, and leave nothing of it behind."""
        if self.supervisor:
            self.supervisor.stop()
        self.supervisor = None
        if self._lock:
            self._lock.close()
        self._lock = None

    def pid(self, name: str) -> int:
        """Return the process id of a program: web, worker, beat, flower, redis or mail."""
        return self._running().processes[name].pid

    @property
    def age(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started

    def _running(self) -> Supervisor:
        if self.supervisor is None:
            raise RuntimeError("The stack doesn't run. Call start() first.")
        return self.supervisor

    def _lock_folder(self) -> None:
        """Lock the data folder. Two stacks in one folder would write over each other's data."""
        path = self.config.var_dir / "stack.lock"
        path.touch(mode=0o600)
        self._lock = path.open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ConfigError(
                f"The system already runs on the data in {shown(self.config.var_dir)}. "
                "Stop it first, or set VAR_DIR to another folder."
            ) from None

    def _supervisor(self) -> Supervisor:
        var_dir = self.config.var_dir
        secret_key = self.config.secret_key or kept_secret(var_dir / "secret_key")
        made_up = f"admin:{kept_secret(var_dir / 'flower_password', 9)}"
        self.config = replace(
            self.config,
            redis_password=kept_secret(var_dir / "redis_password", 18),
            flower_redis_password=kept_secret(var_dir / "flower_redis_password", 18),
            flower_login=self.config.flower_login or made_up,
        )
        environment = site_environment(self.config, secret_key)
        return Supervisor(
            programs(self.config), environment, self.console, self.interrupt, STOP_ORDER
        )

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def shown(path: Path) -> str:
    """Return the path as a person in the current folder would write it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
