"""What one attack tried, and what did not hold."""

import time
import traceback
from dataclasses import dataclass, field


@dataclass
class Tries:
    """The count of what an attack tried, with a sentence for each try that did not hold."""

    count: int = 0
    failures: list[str] = field(default_factory=list)

    def hold(self, held: bool, failure: str) -> None:
        """Count a try. The failure says what was tried and what the site did."""
        self.count += 1
        if not held:
            self.failures.append(failure)


@dataclass(frozen=True)
class Result:
    """What came of an attack."""

    area: str
    title: str
    tries: Tries
    seconds: float

    @property
    def held(self) -> bool:
        """Return whether everything was tried and held. An attack that tried nothing did not."""
        return self.tries.count > 0 and not self.tries.failures

    @property
    def verdict(self) -> str:
        """Return two words at most for the table."""
        return "held" if self.held else "NOT HELD" if self.tries.failures else "NOT TRIED"


class Clock:
    """A context manager that measures an attack, and takes an error in it for a failure."""

    def __init__(self, area: str, title: str) -> None:
        self._area, self._title = area, title
        self.tries = Tries()
        self._begin = time.monotonic()

    def __enter__(self) -> Tries:
        return self.tries

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> bool:
        failed = kind is not None and issubclass(kind, Exception)
        if failed:
            self.tries.failures.append(f"could not be tried: {traceback.format_exc(limit=-3)}")
        return failed

    @property
    def result(self) -> Result:
        """Return what came of it."""
        return Result(self._area, self._title, self.tries, time.monotonic() - self._begin)
