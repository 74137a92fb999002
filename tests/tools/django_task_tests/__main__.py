"""Run Django's own tests of its task backends on the library's backend.

``python -m tests.tools.django_task_tests`` takes the tests from Django's sdist. It fails if a test
fails that should pass, and if one passes that is said not to apply.
"""

import sys
import tempfile
from pathlib import Path

from tests.tools.django_task_tests.run import judge, run


def main() -> None:
    """Run the tests, and say how many passed and which don't apply, with the reasons."""
    with tempfile.TemporaryDirectory() as folder:
        verdict = judge(run(Path(folder)))
    print(verdict)
    sys.exit(bool(verdict.wrong))


if __name__ == "__main__":
    main()
