"""Intervals hold what they promise, and figures are what a calculation by hand gives."""

from math import lgamma

import numpy as np
import pytest
from birds.models.statistics import (
    balanced_accuracy,
    confusion_matrix,
    interval_of,
    is_in_top,
    losses,
    macro_f1,
    most_confused,
    per_class,
    wilson_interval,
)


def test_wilson_intervals_are_those_of_the_literature() -> None:
    """Newcombe (1998), table I: 81 of 263, and 0 of 20, at 95% without continuity correction."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("n", [120, 140, 200, 350, 600, 1000])
def test_wilson_intervals_cover_the_true_value_of_simulated_tests(n: int) -> None:
    """A new true value for each of 2,000 tests, as for networks and species that differ; see the next test for why."""
    chance = np.random.default_rng(n)
    true = chance.uniform(0.7, 0.98, 2000)
    intervals = [wilson_interval(int(right), n) for right in chance.binomial(n, true)]
    covered = np.mean([low <= p <= high for (low, high), p in zip(intervals, true, strict=True)])
    assert 0.93 <= covered <= 0.97


def exact_coverage(n: int, p: float) -> float:
    """The probability that the interval of a test of `n` pictures covers `p`, without simulation."""
    right = np.arange(n + 1)
    factorial = np.array([lgamma(k + 1) for k in right])
    logs = factorial[n] - factorial - factorial[::-1] + right * np.log(p) + (n - right) * np.log(1 - p)
    covers = [low <= p <= high for low, high in (wilson_interval(int(k), n) for k in right)]
    return float(np.exp(logs)[covers].sum())


def test_exact_coverage_is_never_below_93_per_cent_and_at_some_pairs_above_97() -> None:
    """For one fixed n and p it jumps, since so many pictures can only give so many shares: errors are to the safe side.

    So a simulation of such a pair alone can end outside 93-97%, as 120 pictures and 97% do.
    """
    found = {(n, p): exact_coverage(n, p) for n in (120, 140, 200, 300) for p in np.arange(0.70, 0.981, 0.01).round(2)}
    assert min(found.values()) >= 0.93
    outside = {pair for pair, covered in found.items() if covered > 0.97}
    assert outside == {(120, 0.97), (140, 0.98)}
    assert found[120, 0.97] == pytest.approx(0.9714, abs=5e-5)
    assert np.mean(list(found.values())) == pytest.approx(0.95, abs=0.003)


def test_no_interval_is_given_of_fewer_than_20_pictures() -> None:
    assert interval_of(19, 19) is None
    assert interval_of(19, 20) == wilson_interval(19, 20)


def test_figures_of_a_class_are_none_where_they_are_not_defined() -> None:
    truth, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    first, second, third = per_class(confusion_matrix(truth, predicted, 3))
    assert (first.precision, first.recall, first.f1) == (1.0, 0.5, pytest.approx(2 / 3))
    assert (second.precision, second.recall) == (0.5, 1.0)
    assert (third.n, third.precision, third.recall, third.f1) == (0, None, None, None)
    assert first.recall_interval is None


def test_a_class_of_20_pictures_has_an_interval_of_its_recall() -> None:
    (only,) = per_class(np.array([[20]]))
    assert only.recall_interval == wilson_interval(20, 20)


def test_figures_over_classes_are_those_of_scikit_learn() -> None:
    from sklearn import metrics

    chance = np.random.default_rng(0)
    truth = chance.integers(5, size=200)
    probability = chance.dirichlet(np.ones(5), size=200)
    probability[np.arange(200), truth] += chance.random(200)
    probability /= probability.sum(axis=1, keepdims=True)
    predicted = probability.argmax(axis=1)
    matrix = confusion_matrix(truth, predicted, 5)
    right, n, named = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    assert balanced_accuracy(right, n) == pytest.approx(metrics.balanced_accuracy_score(truth, predicted))
    assert macro_f1(right, n, named) == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert losses(probability, truth).mean() == pytest.approx(metrics.log_loss(truth, probability))
    top = is_in_top(probability, truth, 3).mean()
    assert top == pytest.approx(metrics.top_k_accuracy_score(truth, probability, k=3))


def test_classes_without_pictures_do_not_count() -> None:
    assert balanced_accuracy(np.array([1, 0, 3]), np.array([2, 0, 3])) == pytest.approx(0.75)
    assert macro_f1(np.array([1, 0]), np.array([1, 0]), np.array([1, 5])) == pytest.approx(1.0)


def test_of_equally_probable_classes_the_first_is_the_better_guess() -> None:
    even = np.full((1, 4), 0.25)
    assert is_in_top(even, np.array([2]), 3).all()
    assert not is_in_top(even, np.array([3]), 3).any()


def test_being_sure_and_wrong_costs_much_but_not_everything() -> None:
    (loss,) = losses(np.array([[1.0, 0.0]]), np.array([1]))
    assert loss == pytest.approx(27.631, abs=1e-3)


def test_most_confused_pairs_are_ranked_and_said_in_words() -> None:
    matrix = np.array([[5, 3, 0], [1, 9, 0], [0, 3, 1]])
    pairs = most_confused(matrix, ["garza", "loro", "cigüeña"], 10)
    assert [(pair.true, pair.predicted, pair.n, pair.of) for pair in pairs] == [
        ("cigüeña", "loro", 3, 4),
        ("garza", "loro", 3, 8),
        ("loro", "garza", 1, 10),
    ]
    assert pairs[0].in_words == "3 of 4 cigüeña were taken for loro"
    assert pairs[2].in_words == "1 of 10 loro was taken for garza"
