"""The report of a run."""

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.marks import judge
from benchmarks.results import Result, Results
from benchmarks.servers import statements_in

RESULTS = Results(
    [
        Result("request", "bare", "3 effects", "ms", [1.0] * 200),
        Result("request", "aftercommit", "3 effects", "ms", [1.25] * 150 + [1.5] * 50),
        Result("request", "bare", "10 effects", "ms", [2.0]),
        Result("control", "machine", "SELECT 1", "ms", [0.1] * 8, rounds=[0.1] * 7 + [0.3]),
    ]
)


class TestBuild:
    """The report in Markdown."""

    TEXT = report.build(RESULTS, judge(RESULTS), {"run": "quick", "Django": "5.2"})

    def test_a_row_for_each_contender_and_a_column_for_each_condition(self) -> None:
        """What wasn't measured is a dash."""
        assert "| no effects  | 1         | 2          |" in self.TEXT
        assert "| Aftercommit | 1.25      | -          |" in self.TEXT

    def test_what_is_added_to_the_bare_save(self) -> None:
        """In the unit, and as a part of it."""
        assert "| Aftercommit | 0.25 (0.25) |" in self.TEXT

    def test_a_p99_needs_a_hundred_values(self) -> None:
        """Of one value there is none."""
        table = self.TEXT.partition("ms, p99 (")[2].partition("##")[0]
        rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
        assert ["", "no effects", "1", "-", ""] in rows
        assert ["", "Aftercommit", "1.5", "-", ""] in rows

    def test_the_noise_of_the_machine(self) -> None:
        """From the control's rounds."""
        assert "- SELECT 1: 0.1 ms, p99 0.1" in self.TEXT

    def test_there_are_no_walls_where_none_was_measured(self) -> None:
        """Not even a heading."""
        assert "Walls" not in self.TEXT

    def test_the_walls_say_what_they_are(self) -> None:
        """And how high each is."""
        floor = Result("request", "one_insert", "3 effects", "ms", [1.125])
        text = report.build(Results([*RESULTS.all, floor]), [], {})
        walls = text.partition("## Walls")[2].partition("## Marks")[0]
        assert "the least that an outbox can do, and none itself" in walls
        assert "one INSERT of 3 rows: added time, of the bare save | 0.125 " in walls

    def test_the_marks_come_last(self) -> None:
        """Each with its figure."""
        marks = self.TEXT.partition("## Marks")[2]
        assert "| 0.25 " in marks
        assert "| met " in marks
        assert "| not measured " in marks

    def test_how_the_work_differs_is_said(self) -> None:
        """Of each contender that does other work."""
        assert "- no effects: the floor" in self.TEXT


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (0.01234, "0.0123"), (1.0, "1"), (99.96, "100"), (12345.6, "12,346")],
)
def test_a_number_has_three_digits_that_count(value: float, shown: str) -> None:
    """And is never written with an exponent."""
    assert report.number(value) == shown


def test_the_json_can_be_read_back(tmp_path: Path) -> None:
    """With the marks, the results and what was run."""
    report.write_json(tmp_path / "results.json", RESULTS, judge(RESULTS), {"run": "quick"})
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["run"] == {"run": "quick"}
    assert written["results"][0]["median"] == 1
    assert written["marks"][0]["met"] is True


def test_statements_are_those_of_the_contender_without_begin_and_commit() -> None:
    """One that goes over several lines is one."""
    log = (
        "[bench_bare] LOG:  statement: BEGIN\n"
        "[bench_bare] LOG:  execute <unnamed>: UPDATE shop_item SET text = $1\n"
        "[bench_bare] DETAIL:  parameters: $1 = 'x'\n"
        "[bench_other] LOG:  statement: SELECT 1\n"
        "[bench_bare] LOG:  statement: \n"
        "        INSERT INTO aftercommit_outboxcall\n"
        "[bench_bare] LOG:  statement: COMMIT\n"
        "[bench_bare] LOG:  statement: BEGIN; SELECT 1\n"
    )
    found = statements_in(log, "bare")
    assert found == ["UPDATE shop_item SET text = $1", "", "BEGIN; SELECT 1"]
