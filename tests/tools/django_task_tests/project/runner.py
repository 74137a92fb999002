"""Django's test runner, which also writes the outcome of each test into a file."""

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner


class Recorder(unittest.TextTestResult):
    """The result of a run, with the ids of all tests and of those that failed."""

    def startTest(self, test: Any) -> None:  # unittest's name
        """Note the test."""
        super().startTest(test)
        self.ids = [*getattr(self, "ids", []), test.id()]

    def stopTestRun(self) -> None:  # unittest's name
        """Write the file."""
        super().stopTestRun()
        failed = [*self.failures, *self.errors]
        texts = {getattr(test, "test_case", test).id(): text for test, text in failed}
        skipped = {test.id() for test, _ in self.skipped}
        outcomes = {each: texts.get(each, "") for each in getattr(self, "ids", ())}
        passed_or_failed = {name: text for name, text in outcomes.items() if name not in skipped}
        Path(os.environ["OUTCOMES"]).write_text(json.dumps(passed_or_failed))


class Runner(DiscoverRunner):
    """Django's runner with that result."""

    def get_resultclass(self) -> Any:
        """Return the class of the result."""
        return Recorder
