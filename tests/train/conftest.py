"""A dataset that a tiny network can learn in seconds: two shapes on noisy ground."""

import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw


def draw(label: str, seed: int) -> Image.Image:
    chance = random.Random(f"{label}{seed}")
    ground = tuple(chance.randint(90, 160) for _ in range(3))
    picture = Image.new("RGB", (48, 48), ground)
    pen = ImageDraw.Draw(picture)
    colour = tuple(chance.choice((chance.randint(0, 60), chance.randint(200, 255))) for _ in range(3))
    x, y, side = chance.randint(2, 20), chance.randint(2, 20), chance.randint(14, 24)
    if label == "redondo":
        pen.ellipse((x, y, x + side, y + side), outline=colour, width=3)
    else:
        for step in range(0, side, 6):
            pen.line((x, y + step, x + side, y + step), fill=colour, width=2)
    return picture


def write_dataset(root: Path, sizes: dict[str, int] | None = None) -> Path:
    for part, count in (sizes or {"train": 24, "val": 8, "test": 8}).items():
        for index, label in enumerate(("redondo", "a rayas")):
            folder = root / "dataset" / part / label
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed = number + 1000 * len(part) + 100_000 * index
                draw(label, seed).save(folder / f"{label} {number}.png")
    return root


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path)
