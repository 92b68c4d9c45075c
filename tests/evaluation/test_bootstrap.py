"""Bootstrap intervals: over groups, repeatable, as wide as they have to be."""

import numpy as np
import pytest
from birds.evaluation.bootstrap import difference_interval, intervals
from birds.models.statistics import wilson_interval

FIGURES = {"loss", "balanced_accuracy", "top_3_accuracy", "macro_f1", "ece"}


def simulated(n: int, seed: int, skill: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """True classes and probabilities of a model that is often right, of five classes."""
    chance = np.random.default_rng(seed)
    truth = np.arange(n) % 5
    logits = chance.normal(size=(n, 5)) * 1.2
    logits[np.arange(n), truth] += skill
    probability = np.exp(logits)
    return truth, probability / probability.sum(axis=1, keepdims=True)


def test_the_same_pictures_give_the_same_intervals_however_many_are_drawn_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth, probability = simulated(60, 0)
    first = intervals(truth, probability, np.arange(60))
    assert first == intervals(truth, probability, np.arange(60))
    monkeypatch.setattr("birds.evaluation.bootstrap._CELLS", 60 * 7)
    again = intervals(truth, probability, np.arange(60))
    assert {name: again[name] for name in FIGURES} == {name: pytest.approx(first[name], abs=0.03) for name in FIGURES}


def test_with_classes_of_equal_size_balanced_accuracy_is_as_uncertain_as_accuracy() -> None:
    truth, probability = simulated(400, 1)
    right = int((probability.argmax(axis=1) == truth).sum())
    low, high = intervals(truth, probability, np.arange(400))["balanced_accuracy"] or (0, 1)
    expected_low, expected_high = wilson_interval(right, 400)
    assert low == pytest.approx(expected_low, abs=0.02)
    assert high == pytest.approx(expected_high, abs=0.02)


def test_copies_of_pictures_make_no_interval_narrower() -> None:
    truth, probability = simulated(100, 2)
    alone = intervals(truth, probability, np.arange(100))
    times = 5
    copied = np.repeat(truth, times), np.repeat(probability, times, axis=0), np.repeat(np.arange(100), times)
    together = intervals(*copied)
    as_if_new = intervals(copied[0], copied[1], np.arange(500))
    for name in FIGURES - {"ece"}:
        width, grouped, naive = ((low_high or (0, 0)) for low_high in (alone[name], together[name], as_if_new[name]))
        assert grouped[1] - grouped[0] == pytest.approx(width[1] - width[0], rel=0.15)
        assert naive[1] - naive[0] < 0.7 * (grouped[1] - grouped[0])


def test_intervals_of_the_loss_cover_the_true_value() -> None:
    """200 tests of 80 pictures; the truth is the mean over 100,000. Percentile intervals fall a little short of 95%."""
    truth, probability = simulated(100_000, 99)
    true = -np.log(probability[np.arange(100_000), truth]).mean()
    covered = 0
    for seed in range(200):
        low, high = intervals(*simulated(80, seed), np.arange(80), draws=300)["loss"] or (0, 0)
        covered += low <= true <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_fewer_than_20_groups_have_no_interval() -> None:
    truth, probability = simulated(100, 3)
    assert intervals(truth, probability, np.arange(100) // 10) == dict.fromkeys(FIGURES)
    assert difference_interval(truth == 1, truth == 2, np.arange(100) // 10) is None


def test_a_class_that_is_not_drawn_does_not_spoil_the_figures() -> None:
    truth, probability = simulated(40, 4)
    truth = np.where(np.arange(40) == 0, 4, np.arange(40) % 4)  # class 4 has one picture, missing from a third of draws
    found = intervals(truth, probability, np.arange(40))
    assert all(bounds is not None and np.isfinite(bounds).all() for bounds in found.values())


def test_the_interval_of_a_difference_holds_it() -> None:
    chance = np.random.default_rng(5)
    better, worse = chance.random(300) < 0.95, chance.random(300) < 0.7
    low, high = difference_interval(better, worse, np.arange(300)) or (0, 0)
    assert 0.1 < low < better.mean() - worse.mean() < high < 0.4
    assert difference_interval(better, better, np.arange(300)) == (0, 0)
