"""Calibration agrees with what a calculation by hand gives."""

import math

import numpy as np
import pytest
from birds.evaluation.calibration import (
    BINS,
    before_temperature,
    coverage,
    error_by_chance,
    expected_calibration_error,
    reliability,
)


def test_the_expected_calibration_error_is_that_of_a_calculation_by_hand() -> None:
    """Bins of 1/15: 0.95, 0.97 and 0.99 are in the last, 0.90 and 0.92 in the one before, 0.55 in the ninth.

    Last: mean confidence 0.97, 2 of 3 right, gap 0.30333; before: 0.91, 2 of 2, gap 0.09; ninth: 0.55, 0 of 1, 0.55.
    (3 * 0.303333 + 2 * 0.09 + 1 * 0.55) / 6 = 1.64 / 6.
    """
    confidence = np.array([0.95, 0.90, 0.97, 0.55, 0.99, 0.92])
    is_right = np.array([True, True, False, False, True, True])
    assert expected_calibration_error(confidence, is_right) == pytest.approx(1.64 / 6, abs=1e-9)
    bins = reliability(confidence, is_right)
    assert [one.n for one in bins] == [0] * 8 + [1, 0, 0, 0, 0, 2, 3]
    assert bins[14].confidence == pytest.approx(0.97)
    assert bins[14].accuracy == pytest.approx(2 / 3)
    assert bins[14].interval is None, "three pictures are too few"
    assert (bins[0].confidence, bins[0].accuracy) == (None, None)


def test_a_bin_of_20_pictures_has_an_interval() -> None:
    bins = reliability(np.full(20, 0.99), np.ones(20, bool))
    assert bins[-1].interval == pytest.approx((0.8389, 1.0), abs=1e-4)


def test_every_confidence_has_a_bin_up_to_certainty() -> None:
    confidence = np.array([1.0, 1 / 15, 1e-9])
    bins = reliability(confidence, np.array([True, True, True]))
    assert len(bins) == BINS
    assert (bins[0].n, bins[-1].n) == (2, 1)


def test_the_temperature_is_taken_out_as_by_hand() -> None:
    """Logits 2, 1, 0 divided by 2 are 1, 0.5, 0: probabilities exp(1), exp(0.5), 1 over their sum 5.367."""
    total = math.e + math.exp(0.5) + 1
    cooled = np.array([[math.e / total, math.exp(0.5) / total, 1 / total]])
    (found,) = before_temperature(cooled, 2)
    total = math.exp(2) + math.e + 1
    assert found == pytest.approx([math.exp(2) / total, math.e / total, 1 / total], abs=1e-12)


def test_temperature_is_the_one_of_lowest_loss_that_training_found() -> None:
    """What `train` folds in is undone here: loss before and after are those of the logits."""
    import torch
    from birds.train.calibration import temperature

    chance = np.random.default_rng(1)
    truth = chance.integers(4, size=300)
    logits = chance.normal(size=(300, 4)) * 3
    logits[np.arange(300), truth] += 2
    best = temperature(torch.tensor(logits), torch.tensor(truth), spread=math.inf)
    by_grid = min(
        np.arange(0.5, 4, 0.001),
        key=lambda t: float(torch.nn.functional.cross_entropy(torch.tensor(logits / t), torch.tensor(truth))),
    )
    assert best == pytest.approx(by_grid, abs=2e-3)
    calibrated = torch.tensor(logits / best).softmax(dim=1).numpy()
    assert before_temperature(calibrated, best) == pytest.approx(torch.tensor(logits).softmax(dim=1).numpy(), abs=1e-9)


def test_probabilities_of_0_stay_small() -> None:
    (found,) = before_temperature(np.array([[1.0, 0.0]], np.float32), 0.5)
    assert found[0] == pytest.approx(1)
    assert np.isfinite(found).all()


def test_a_model_as_often_right_as_sure_has_the_error_of_chance() -> None:
    chance = np.random.default_rng(3)
    confidence = chance.uniform(0.3, 1, 100)
    by_chance = error_by_chance(confidence)
    assert 0.03 < by_chance < 0.15
    many = [expected_calibration_error(confidence, chance.random(100) < confidence) for _ in range(300)]
    assert np.mean(many) == pytest.approx(by_chance, abs=0.01)
    assert error_by_chance(np.tile(confidence, 100)) < 0.02, "many pictures leave little to chance"


def test_coverage_and_accuracy_at_every_confidence() -> None:
    confidence = np.array([0.9, 0.6, 0.8, 0.6])
    is_right = np.array([True, True, False, False])
    found = coverage(confidence, is_right, 0.7)
    assert found.curve == [
        (pytest.approx(0.6), 1.0, 0.5),
        (pytest.approx(0.8), 0.5, 0.5),
        (pytest.approx(0.9), 0.25, 1.0),
    ]
    assert (found.answered, found.n, found.accuracy) == (2, 4, 0.5)
    assert found.interval is None


def test_a_threshold_that_nothing_reaches_answers_nothing() -> None:
    found = coverage(np.array([0.5]), np.array([True]), 0.9)
    assert (found.answered, found.accuracy) == (0, None)
