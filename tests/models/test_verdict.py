"""What a run's history is said to show."""

import math

import pytest
from birds.models.verdict import (
    NO_LOSS,
    OVERFITTING,
    STABILISED,
    STILL_FALLING,
    TOO_FEW,
    UNDERFITTING,
    UNSTABLE,
    verdict,
)
from hypothesis import given
from hypothesis import strategies as st


def rows(
    train: list[float], valid: list[float], *, phase: str = "head", accuracy: float = 0.9
) -> list[dict[str, str | int | float]]:
    return [
        {"phase": phase, "epoch": number, "train_loss": t, "valid_loss": v, "valid_accuracy": accuracy, "lr": 1e-3}
        for number, (t, v) in enumerate(zip(train, valid, strict=True), 1)
    ]


def test_a_validation_loss_that_falls_to_the_end_asks_for_more_epochs() -> None:
    said = verdict(rows([1.0, 0.8, 0.7, 0.6, 0.5], [0.9, 0.7, 0.6, 0.5, 0.45]))
    assert (said.kind, said.phase, said.epoch) == (STILL_FALLING, "head", None)
    assert said.in_words == "Validation loss fell to the end of phase head: more epochs may help."


def test_a_last_epoch_that_is_best_by_a_hair_asks_for_nothing() -> None:
    said = verdict(rows([0.5, 0.41, 0.41, 0.41], [0.5, 0.402, 0.401, 0.4005]))
    assert said.kind == STABILISED
    assert "agree" in said.in_words


@pytest.mark.parametrize(
    ("valid", "epoch"),
    [
        ([0.9, 0.6, 0.5, 0.45, 0.45, 0.45], 4),
        ([0.9, 0.459, 0.5, 0.45, 0.451, 0.452], 2),  # 2% above the lowest
        ([0.9, 0.4591, 0.5, 0.45, 0.451, 0.452], 4),  # just beyond
        ([0.9, 0.6, 0.5, 0.45, 0.44, 0.4399], 5),
    ],
)
def test_the_epoch_of_a_stabilised_loss_is_the_first_within_two_per_cent_of_the_lowest(
    valid: list[float], epoch: int
) -> None:
    said = verdict(rows([1.0, 0.6, 0.5, 0.5, 0.5, 0.5], valid))
    assert (said.kind, said.epoch) == (STABILISED, epoch)
    assert f"stabilised at epoch {epoch} of phase head" in said.in_words


def test_falling_training_and_rising_validation_loss_is_overfitting_from_the_epoch_after_the_lowest() -> None:
    said = verdict(rows([1.0, 0.6, 0.4, 0.3, 0.2], [0.9, 0.6, 0.65, 0.7, 0.75]))
    assert (said.kind, said.epoch) == (OVERFITTING, 3)
    assert said.in_words.startswith("Overfitting from epoch 3 of phase head: training loss kept falling")
    assert "The best epoch, 2, is what was kept." in said.in_words


def test_a_rise_below_five_per_cent_in_the_mean_is_no_overfitting() -> None:
    assert verdict(rows([1.0, 0.6, 0.4, 0.3], [0.9, 0.6, 0.62, 0.64])).kind == STABILISED
    assert verdict(rows([1.0, 0.6, 0.4, 0.3], [0.9, 0.6, 0.62, 0.65])).kind == OVERFITTING


def test_a_validation_loss_that_rises_with_the_training_loss_is_called_unstable() -> None:
    said = verdict(rows([1.0, 0.6, 0.7, 0.8, 0.9], [0.9, 0.6, 0.65, 0.7, 0.75]))
    assert (said.kind, said.epoch) == (UNSTABLE, 3)
    assert "rose from epoch 3" in said.in_words


def test_one_bad_epoch_is_not_called_overfitting() -> None:
    assert verdict(rows([1.0, 0.6, 0.5], [0.9, 0.6, 0.9])).kind == STABILISED


def test_losses_that_stay_high_are_underfitting() -> None:
    said = verdict(rows([2.0, 1.9, 1.9, 1.9], [2.0, 1.9, 1.9, 1.9], accuracy=0.2))
    assert said.kind == UNDERFITTING
    assert said.in_words.startswith("Both losses stayed high (training 1.90, validation 1.90): it underfits")


def test_among_many_classes_a_high_loss_with_good_accuracy_is_no_underfitting() -> None:
    assert verdict(rows([2.0, 0.9, 0.9, 0.9], [2.0, 0.9, 0.9, 0.9], accuracy=0.8)).kind == STABILISED


def test_a_high_training_loss_alone_is_no_underfitting_and_is_explained() -> None:
    """Mixup, dropout and augmentation raise the training loss only."""
    said = verdict(rows([2.0, 1.2, 1.2, 1.2], [1.0, 0.4, 0.4, 0.4], accuracy=0.6)).in_words
    assert "underfits" not in said
    assert "Training loss is the higher one since it is measured on augmented pictures" in said


def test_a_training_loss_far_below_is_told() -> None:
    said = verdict(rows([1.0, 0.1, 0.1, 0.1], [1.0, 0.5, 0.5, 0.5])).in_words
    assert said.startswith("Validation loss stabilised at epoch 2 of phase head")
    assert "Training loss is far below validation loss (0.100 against 0.500)" in said


def test_the_phase_of_the_best_epoch_is_judged_and_useless_fine_tuning_is_told() -> None:
    head = rows([0.5, 0.42, 0.41, 0.41], [0.5, 0.41, 0.4, 0.4])
    said = verdict(head + rows([0.4, 0.3, 0.2, 0.1], [0.45, 0.5, 0.6, 0.7], phase="fine_tune"))
    assert (said.kind, said.phase, said.epoch) == (STABILISED, "head", 3)
    assert "Phase fine_tune did not lower the validation loss (0.450 against 0.400): it overfits" in said.in_words
    steady = verdict(head + rows([0.4] * 3, [0.45] * 3, phase="fine_tune")).in_words
    assert "did not lower" in steady
    assert "overfits" not in steady
    better = verdict(head + rows([0.35, 0.3, 0.3, 0.3], [0.35, 0.3, 0.3, 0.3], phase="fine_tune"))
    assert (better.phase, better.epoch) == ("fine_tune", 2)
    assert "did not lower" not in better.in_words


def test_too_few_epochs_and_no_finite_loss_say_so() -> None:
    assert verdict(rows([1.0, 0.5], [1.0, 0.5])).kind == TOO_FEW
    assert verdict(rows([math.nan], [math.nan])) == verdict([])
    assert verdict([]).kind == NO_LOSS


def test_figures_may_be_text_as_in_the_csv() -> None:
    numbers = rows([1.0, 0.6, 0.4, 0.3, 0.2], [0.9, 0.6, 0.65, 0.7, 0.75])
    texts = [{key: str(value) for key, value in row.items()} for row in numbers]
    assert verdict(texts) == verdict(numbers)


losses = st.floats(0, 1e6) | st.just(math.nan) | st.just(math.inf)


@given(st.lists(st.tuples(losses, losses), max_size=12), st.integers(0, 12))
def test_every_history_has_a_verdict(pairs: list[tuple[float, float]], cut: int) -> None:
    head, tune = pairs[:cut], pairs[cut:]
    history = [row for phase, part in (("head", head), ("fine_tune", tune)) for row in _rows_of(part, phase)]
    assert verdict(history).in_words.endswith(".")


def _rows_of(pairs: list[tuple[float, float]], phase: str) -> list[dict[str, str | int | float]]:
    return rows([t for t, _ in pairs], [v for _, v in pairs], phase=phase)
