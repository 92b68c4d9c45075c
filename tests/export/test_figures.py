"""The figures that a bundle carries, and below what confidence its model is unsure."""

from pathlib import Path

import numpy as np
import pytest
from birds.export.figures import Judged, abstain_threshold, all_figures, loss_and_accuracy, where_sure


def judged(confidence: list[float], is_right: list[bool]) -> Judged:
    """Pictures of two classes, all truly of the first."""
    sure = np.array(confidence)
    first = np.where(is_right, sure, 1 - sure)
    return Judged([Path()] * len(sure), np.stack([first, 1 - first], axis=1), np.zeros(len(sure), dtype=int))


def test_the_threshold_is_the_lowest_confidence_with_95_per_cent_right_above_it() -> None:
    right = [0.99 - i * 0.001 for i in range(60)]  # down to 0.931
    wrong = [0.9, 0.8, 0.7, 0.6, 0.55]  # the fourth is one too many: 60 of 64
    seen = judged(right + wrong, [True] * 60 + [False] * 5)
    threshold = abstain_threshold(seen)
    assert threshold == 0.7
    assert where_sure(seen, threshold) == {"coverage": 63 / 65, "accuracy_where_sure": 60 / 63}


def test_where_all_are_right_it_is_no_lower_than_any_confidence_it_was_tried_at() -> None:
    assert abstain_threshold(judged([0.9] * 30 + [0.61236], [True] * 31)) == 0.6123


def test_equally_sure_pictures_stand_or_fall_together() -> None:
    assert abstain_threshold(judged([0.9] * 20 + [0.8] * 20, [True] * 30 + [False] * 10)) == 0.9


def test_with_few_pictures_or_none_that_suffice_it_is_a_plain_number() -> None:
    assert abstain_threshold(None) == 0.5
    assert abstain_threshold(judged([0.99] * 19, [True] * 19)) == 0.5
    assert abstain_threshold(judged([0.9] * 30, [True, False] * 15)) == 0.95
    few_are_sure = judged([0.99] * 10 + [0.6] * 30, [True] * 10 + [False] * 30)
    assert abstain_threshold(few_are_sure) == 0.95, "ten pictures show nothing"


def test_loss_is_cross_entropy_in_nats_and_a_class_without_pictures_has_no_recall() -> None:
    seen = Judged([Path()] * 3, np.array([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2], [0.7, 0.2, 0.1]]), np.array([0, 1, 1]))
    figures = all_figures(seen, ["a", "b", "c"])
    assert figures["loss"] == pytest.approx(-np.log([0.5, 0.6, 0.2]).mean())
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["per_class"]["b"] == {
        "n": 2,
        "precision": 1.0,
        "recall": 0.5,
        "recall_interval": None,
        "f1": pytest.approx(2 / 3),
    }
    assert figures["per_class"]["c"]["recall"] is None
    assert loss_and_accuracy(seen)["n"] == 3
