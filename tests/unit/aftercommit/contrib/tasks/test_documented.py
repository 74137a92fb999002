"""The reference has what the backend has."""

from aftercommit.contrib.tasks.options import OWN_OPTIONS, TASK_OPTIONS, BackendOptions
from tests.unit.aftercommit.reference import REFERENCE, defaults, in_code


def test_options_of_a_backend() -> None:
    """The page has every option of a backend of TASKS, the library's own with their defaults."""
    own = defaults("options.md", "Of a backend of TASKS")
    assert own == {name: getattr(BackendOptions(), name) for name in OWN_OPTIONS}
    text = (REFERENCE / "options.md").read_text().partition("## Of a backend of TASKS")[2]
    assert {*TASK_OPTIONS} <= {*in_code(text)}
