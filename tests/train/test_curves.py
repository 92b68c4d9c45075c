"""What a run's history is said to show, and the picture of it."""

import math
from pathlib import Path

import pytest
from birds.train.curves import draw_curves, verdict
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image


def rows(
    train: list[float], valid: list[float], *, phase: str = "head", accuracy: float = 0.9
) -> list[dict[str, str | int | float]]:
    return [
        {"phase": phase, "epoch": number, "train_loss": t, "valid_loss": v, "valid_accuracy": accuracy, "lr": 1e-3}
        for number, (t, v) in enumerate(zip(train, valid, strict=True), 1)
    ]


def test_a_validation_loss_that_falls_to_the_end_asks_for_more_epochs() -> None:
    said = verdict(rows([1.0, 0.8, 0.7, 0.6, 0.5], [0.9, 0.7, 0.6, 0.5, 0.45]))
    assert said == "Validation loss fell to the end of phase head: more epochs may help."


def test_a_last_epoch_that_is_best_by_a_hair_asks_for_nothing() -> None:
    assert "agree" in verdict(rows([0.5, 0.41, 0.41, 0.41], [0.5, 0.402, 0.401, 0.4005]))


def test_falling_training_and_rising_validation_loss_is_overfitting() -> None:
    said = verdict(rows([1.0, 0.6, 0.4, 0.3, 0.2], [0.9, 0.6, 0.65, 0.7, 0.75]))
    assert said.startswith("Training loss kept falling after epoch 2 of phase head while validation loss rose")
    assert "overfits" in said


def test_a_validation_loss_that_rises_with_the_training_loss_is_not_called_overfitting() -> None:
    assert "overfits" not in verdict(rows([1.0, 0.6, 0.7, 0.8, 0.9], [0.9, 0.6, 0.65, 0.7, 0.75]))


def test_one_bad_epoch_is_not_called_overfitting() -> None:
    assert "overfits" not in verdict(rows([1.0, 0.6, 0.5], [0.9, 0.6, 0.9]))


def test_losses_that_stay_high_are_underfitting() -> None:
    said = verdict(rows([2.0, 1.9, 1.9, 1.9], [2.0, 1.9, 1.9, 1.9], accuracy=0.2))
    assert said.startswith("Both losses stayed high (training 1.90, validation 1.90): it underfits")


def test_among_many_classes_a_high_loss_with_good_accuracy_is_no_underfitting() -> None:
    assert "underfits" not in verdict(rows([2.0, 0.9, 0.9, 0.9], [2.0, 0.9, 0.9, 0.9], accuracy=0.8))


def test_a_high_training_loss_alone_is_no_underfitting_and_is_explained() -> None:
    """Mixup, dropout and augmentation raise the training loss only."""
    said = verdict(rows([2.0, 1.2, 1.2, 1.2], [1.0, 0.4, 0.4, 0.4], accuracy=0.6))
    assert "underfits" not in said
    assert "Training loss is the higher one since it is measured on augmented pictures" in said


def test_a_training_loss_far_below_is_told() -> None:
    said = verdict(rows([1.0, 0.1, 0.1, 0.1], [1.0, 0.5, 0.5, 0.5]))
    assert said.startswith("Training loss is far below validation loss (0.100 against 0.500)")


def test_the_phase_of_the_best_epoch_is_judged_and_useless_fine_tuning_is_told() -> None:
    head = rows([0.5, 0.42, 0.41, 0.41], [0.5, 0.41, 0.4, 0.4])
    said = verdict(head + rows([0.4, 0.3, 0.2, 0.1], [0.45, 0.5, 0.6, 0.7], phase="fine_tune"))
    assert said.startswith("Training and validation agree")
    assert "Phase fine_tune did not lower the validation loss (0.450 against 0.400): it overfits" in said
    steady = verdict(head + rows([0.4] * 3, [0.45] * 3, phase="fine_tune"))
    assert "did not lower" in steady
    assert "overfits" not in steady
    better = verdict(head + rows([0.35, 0.3, 0.3, 0.3], [0.35, 0.3, 0.3, 0.3], phase="fine_tune"))
    assert "did not lower" not in better


def test_too_few_epochs_and_no_finite_loss_say_so() -> None:
    assert "too few epochs" in verdict(rows([1.0, 0.5], [1.0, 0.5]))
    assert verdict(rows([math.nan], [math.nan])) == verdict([]) == "No epoch ended with a finite loss."


def test_figures_may_be_text_as_in_the_csv() -> None:
    numbers = rows([1.0, 0.6, 0.4, 0.3, 0.2], [0.9, 0.6, 0.65, 0.7, 0.75])
    texts = [{key: str(value) for key, value in row.items()} for row in numbers]
    assert verdict(texts) == verdict(numbers)


losses = st.floats(0, 1e6) | st.just(math.nan) | st.just(math.inf)


@given(st.lists(st.tuples(losses, losses), max_size=12), st.integers(0, 12))
def test_every_history_has_a_verdict(pairs: list[tuple[float, float]], cut: int) -> None:
    head, tune = pairs[:cut], pairs[cut:]
    history = [row for phase, part in (("head", head), ("fine_tune", tune)) for row in _rows_of(part, phase)]
    assert verdict(history).endswith(".")


def _rows_of(pairs: list[tuple[float, float]], phase: str) -> list[dict[str, str | int | float]]:
    return rows([t for t, _ in pairs], [v for _, v in pairs], phase=phase)


@pytest.mark.parametrize("epochs", [(1, 0), (40, 10)])
def test_the_picture_shows_a_shade_for_each_phase_and_the_best_epoch(tmp_path: Path, epochs: tuple[int, int]) -> None:
    head, tune = epochs
    history = rows([0.5] * head, [0.5] * head) + rows([0.4] * tune, [0.4] * tune, phase="fine_tune")
    draw_curves(history, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 1000
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
    assert (0xEE, 0xF3, 0xF8) in colours, "the head phase's ground"
    assert ((0xFB, 0xF3, 0xE9) in colours) == bool(tune), "that of fine-tuning"
    assert (0xC0, 0x18, 0x18) in colours, "the best epoch's star"


def test_a_history_of_no_numbers_is_drawn_too(tmp_path: Path) -> None:
    draw_curves(rows([math.nan], [math.nan]), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
