"""The picture of a run's history."""

import math
from pathlib import Path

import pytest
from birds.drawing import DARK, as_png
from birds.models.curves import curves_chart, draw_curves
from PIL import Image


def rows(
    train: list[float], valid: list[float], *, phase: str = "head", accuracy: float = 0.9
) -> list[dict[str, str | int | float]]:
    return [
        {"phase": phase, "epoch": number, "train_loss": t, "valid_loss": v, "valid_accuracy": accuracy, "lr": 1e-3}
        for number, (t, v) in enumerate(zip(train, valid, strict=True), 1)
    ]


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


def test_the_picture_for_a_dark_page_is_another() -> None:
    history = rows([0.5] * 3, [0.5] * 3)
    assert as_png(curves_chart(history, DARK)) != as_png(curves_chart(history))
