"""Which marks are met, which not, and which nobody measured."""

import pytest

from benchmarks.marks import MARKS, Mark, Outcome, find_walls, judge
from benchmarks.results import Result, Results


def outcome(name: str, *results: Result) -> Outcome:
    """The outcome of the mark whose name begins so."""
    (found,) = [each for each in judge(Results(results)) if each.mark.name.startswith(name)]
    return found


def request(contender: str, *values: float, condition: str = "3 effects") -> Result:
    """Times of a request."""
    return Result("request", contender, condition, "ms", list(values))


class TestVerdict:
    """A mark in its three states."""

    MARK = "3 effects on a save: added time, of the bare save"

    def test_met(self) -> None:
        """A quarter more than the bare save."""
        found = outcome(self.MARK, request("bare", 1.0), request("aftercommit", 1.25))
        assert (found.met, found.verdict) == (True, "met")
        assert found.figure is not None
        assert found.figure.value == 0.25

    def test_not_met(self) -> None:
        """Half as much more."""
        found = outcome(self.MARK, request("bare", 1.0), request("aftercommit", 1.5))
        assert (found.met, found.verdict) == (False, "NOT met")

    def test_met_by_luck(self) -> None:
        """What noise could have decided says so."""
        ours = request("aftercommit", *[1.1] * 6, *[3.0] * 5)
        found = outcome(self.MARK, request("bare", *[1.0] * 11), ours)
        assert (found.met, found.verdict) == (True, "met (the interval holds the limit)")

    def test_not_measured(self) -> None:
        """What is missing is named."""
        found = outcome(self.MARK, request("bare", 1.0))
        assert (found.met, found.verdict) == (None, "not measured")
        assert found.missing == "request: aftercommit, 3 effects, ms"

    def test_without_any_results_none_is_measured(self) -> None:
        """None is taken for met."""
        assert {each.met for each in judge(Results())} == {None}


class TestLimit:
    """The three kinds of limits, at the limit."""

    @pytest.mark.parametrize(
        ("limits", "shown", "kept"),
        [
            ({"at_most": 1.0}, "≤ 1", True),
            ({"at_least": 1.0}, "≥ 1", True),
            ({"below": 1.0, "unit": " ms"}, "< 1 ms", False),
        ],
    )
    def test_a_figure_at_the_limit(self, limits: dict[str, float], shown: str, kept: bool) -> None:
        """ "Less than" is less than."""
        mark = Mark("a mark", MARKS[0].figure, **limits)  # type: ignore[arg-type]
        assert (mark.limit, mark.is_kept_by(1.0)) == (shown, kept)


class TestFigures:
    """How each figure follows from the results."""

    def test_of_the_best_durable_peer(self) -> None:
        """The fastest that is durable: not Celery's on_commit, which is faster here."""
        found = outcome(
            "3 effects on a save: added time, of the best durable",
            request("bare", 1.0),
            request("aftercommit", 1.5),
            request("celery_on_commit", 1.6),
            request("procrastinate_django", 6.0),
            request("celery_outbox", 3.5),
        )
        assert found.figure is not None
        assert (found.figure.value, found.met) == (0.2, True)
        assert "django-celery-outbox" in found.figure.note

    def test_a_peer_that_adds_nothing_is_not_beaten(self) -> None:
        """Noise must not make a mark met by dividing by it."""
        found = outcome(
            "3 effects on a save: added time, of Celery",
            request("bare", 1.0),
            request("aftercommit", 1.5),
            request("celery_on_commit", 0.9),
        )
        assert found.met is False

    @pytest.mark.parametrize(
        ("shown", "view"), [("bare view", "3 effects"), ("page", "3 effects, page")]
    )
    def test_each_view_is_compared_with_itself(self, shown: str, view: str) -> None:
        """With eight clients, of the view that the mark names."""
        rates = {"bare": 1000.0, "aftercommit": 900.0, "celery_on_commit": 500.0}
        results = [
            Result("http", who, f"{view}, 8 clients", "1/s", [rate]) for who, rate in rates.items()
        ]
        others = [outcome.mark.name for outcome in judge(Results(results)) if outcome.met is None]
        for peer, met in (("no effects", True), ("Celery", False)):
            name = f"HTTP requests/s of the {shown} with 3 effects, of {peer}"
            assert outcome(name, *results).met is met
        assert len(others) == len(MARKS) - 2

    def test_statements_are_the_most_of_all_conditions(self) -> None:
        """One condition with two added is too many."""
        conditions = {"3 effects": (1, 2), "1000 rows": (1000, 1002)}
        results = [
            Result("request", contender, condition, "statements", [float(count)])
            for condition, counts in conditions.items()
            for contender, count in zip(("bare", "aftercommit"), counts, strict=True)
        ]
        found = outcome("statements added", *results)
        assert found.figure is not None
        assert (found.figure.value, found.met) == (2, False)

    def test_an_outage_is_compared_with_the_healthy_broker(self) -> None:
        """At the median and at the p99."""
        healthy = Result("outage", "aftercommit", "healthy", "ms", [2.0] * 100)
        dead = Result("outage", "aftercommit", "dead", "ms", [2.5] * 90 + [9.0] * 10)
        assert outcome("broker dead: added to the median", healthy, dead).met is True
        assert outcome("broker dead: added to the p99", healthy, dead).met is False
        assert outcome("broker black-holed: added to the p99", healthy, dead).met is None

    def test_draining_is_compared_at_the_deepest_backlog_of_both(self) -> None:
        """Plain Celery isn't given a million."""
        rates = [
            ("aftercommit", "audit, 2 processes, 1000000 deep", 30_000.0),
            ("aftercommit", "audit, 2 processes, 10000 deep", 20_000.0),
            ("celery_on_commit", "audit, 2 processes, 10000 deep", 200.0),
            ("bare", "audit rows by COPY", 50_000.0),
            ("bare", "audit rows by INSERT", 40_000.0),
        ]
        results = [Result("drain", who, what, "1/s", [rate]) for who, what, rate in rates]
        found = [
            outcome(f"audit rows/s, 2 processes, of {peer}", *results)
            for peer in ("plain Celery", "a bare COPY", "a bare multi-row INSERT")
        ]
        assert [each.figure and each.figure.value for each in found] == [100, 0.6, 0.75]

    @pytest.mark.parametrize(("end", "met"), [(104.0, True), (106.0, False), (80.0, True)])
    def test_memory_is_compared_after_the_warm_up(self, end: float, met: bool) -> None:
        """The first fifth, in which everything is loaded, doesn't count."""
        series = [50.0, 80.0, *[100.0] * 6, end, end]
        growth = Result("growth", "aftercommit", "memory of the worker", "MB", series)
        assert outcome("memory of the worker", growth).met is met

    def test_every_mark_has_a_limit_and_a_name_of_its_own(self) -> None:
        """None is met by anything."""
        assert all(mark.limit for mark in MARKS)
        assert len({mark.name for mark in MARKS}) == len(MARKS)


class TestWalls:
    """What no outbox can do better."""

    TIMES = (
        request("bare", 1.0),
        request("backend_alone", 0.875),
        request("one_insert", 1.25),
        request("aftercommit", 1.5),
        request("procrastinate_django", 3.0),
    )

    def test_what_was_measured(self) -> None:
        """The wall is compared with the bare save, and so is what our backend alone saves."""
        found = {
            each.mark.name: each.figure and each.figure.value
            for each in find_walls(Results(self.TIMES))
        }
        assert found == {
            "no effects, our backend: added time, of the bare save": -0.125,
            "one INSERT of 3 rows: added time, of the bare save": 0.25,
        }

    def test_a_wall_is_no_peer(self) -> None:
        """The best durable peer is one that has the effects happen."""
        found = outcome("3 effects on a save: added time, of the best durable", *self.TIMES)
        assert found.figure is not None
        assert (found.figure.value, found.figure.note) == (0.25, "that is procrastinate")
