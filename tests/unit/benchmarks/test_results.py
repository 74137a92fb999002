"""The statistics of measurements."""

import random

import pytest

from benchmarks.results import (
    NotMeasured,
    Result,
    Results,
    Samples,
    bootstrap,
    percentile,
    percentile_interval,
    thin,
)


def result(values: list[float], **kwargs: object) -> Result:
    """A result with these values."""
    given = {"measure": "request", "contender": "bare", "condition": "3 effects", "unit": "ms"}
    return Result(**{**given, **kwargs}, values=values)  # type: ignore[arg-type]


class TestPercentile:
    """The value that a share of the values don't exceed."""

    @pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1, 100), (0, 1)])
    def test_of_a_hundred(self, share: float, expected: float) -> None:
        """In any order."""
        values = [float(number) for number in range(100, 0, -1)]
        assert percentile(values, share) == expected

    def test_of_one(self) -> None:
        """It is all of them."""
        assert percentile([7.0], 0.99) == 7

    def test_one_slow_call_of_a_hundred_is_not_the_p99(self) -> None:
        """Two are."""
        assert result([1.0] * 99 + [50.0]).p99 == 1
        assert result([1.0] * 98 + [50.0] * 2).p99 == 50


class TestInterval:
    """Where the true figure lies, 95 times in 100."""

    @pytest.mark.parametrize("share", [0.5, 0.99])
    def test_it_holds_the_true_percentile_as_often_as_it_says(self, share: float) -> None:
        """Of a distribution that is far from normal; percentiles of samples that are large."""
        chance = random.Random(1)
        true = share**3  # of a random number's cube
        held = 0
        for _ in range(400):
            low, high = percentile_interval([chance.random() ** 3 for _ in range(600)], share)
            held += low <= true <= high
        assert 0.93 <= held / 400 <= 0.995

    def test_of_one_value(self) -> None:
        """A point."""
        assert percentile_interval([3.0], 0.5) == (3, 3)

    def test_rounds_are_drawn_whole(self) -> None:
        """Many values that agree within a round, and rounds that don't: the interval is wide."""
        values = [1.0] * 50 + [2.0] * 50 + [9.0] * 50
        alone, in_rounds = result(values), result(values, rounds=[1.0, 2.0, 9.0])
        assert alone.interval == (2, 2)
        assert in_rounds.interval == (1, 9)


class TestBootstrap:
    """The interval of a figure made of several results."""

    def test_noise_that_all_share_cancels_out(self) -> None:
        """Rounds in which the machine was slow were slow for both."""
        slowness = [1.0, 1.2, 4.0, 1.1, 9.0, 1.3, 2.0]
        bare = result(slowness, rounds=slowness)
        ours = result([2 * each for each in slowness], rounds=[2 * each for each in slowness])
        assert bootstrap(lambda ours, bare: ours / bare, ours, bare) == (2, 2)

    def test_the_same_results_give_the_same_interval(self) -> None:
        """It is drawn, and yet no matter of luck."""
        noisy = result([float(each % 7) for each in range(300)])
        assert bootstrap(lambda value: value, noisy) == bootstrap(lambda value: value, noisy)

    def test_it_holds_the_figure_itself(self) -> None:
        """Though that is of all values, and not of the rounds' medians."""
        odd = result([1.0, 1.0, 1.0, 8.0], rounds=[5.0, 5.0])
        assert bootstrap(lambda value: value, odd) == (1, 5)


class TestSamples:
    """What is measured in turns."""

    def test_a_result_has_all_values_and_each_turns_median(self) -> None:
        """In the order of the turns."""
        samples = Samples()
        samples.add("bare", "3 effects", "ms", [3.0, 1.0, 2.0])
        samples.add("bare", "3 effects", "ms", [6.0])
        assert list(samples.results("request")) == [result([3, 1, 2, 6], rounds=[2, 6])]
        assert samples.least("bare", "3 effects", "ms") == 1

    def test_the_least_of_what_was_not_measured(self) -> None:
        """It is infinite, and no result comes of asking."""
        samples = Samples()
        assert samples.least("bare", "3 effects", "ms") == float("inf")
        assert not list(samples.results("request"))


class TestResults:
    """Finding what was measured."""

    def test_find(self) -> None:
        """By all that it is about."""
        wanted = result([1.0])
        assert (
            Results([result([2.0], unit="1/s"), wanted]).find("request", "bare", "3 effects", "ms")
            is wanted
        )

    def test_fail_when_it_was_not_measured(self) -> None:
        """The error says what is missing."""
        with pytest.raises(NotMeasured, match="request: bare, 10 effects, ms"):
            Results([result([1.0])]).find("request", "bare", "10 effects", "ms")


def test_thinned_values_keep_their_order_and_their_ends() -> None:
    """A series over time is still one."""
    kept = thin([float(number) for number in range(1001)], 11)
    assert kept == [number * 100 for number in range(11)]


def test_what_is_written_down_has_the_figures_of_all_values() -> None:
    """Though not all values."""
    written = result([1.0] * 9_000 + [5.0] * 1_000).as_json()
    assert (written["n"], len(written["values"])) == (10_000, 2_000)
    assert (written["median"], written["p99"]) == (1, 5)
