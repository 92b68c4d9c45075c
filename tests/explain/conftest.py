"""A project with a really trained small network, whose tests only read it."""

import io
import random
import shutil
from pathlib import Path

import pytest
from birds.explain.found import Found, file_name
from PIL import Image, ImageDraw

LABELS = ("buitre leonado", "cigüeña")


def draw(label: str, seed: int) -> Image.Image:
    """One of two shapes on soft patches, no two grounds alike."""
    patches = bytes(60 + value // 2 for value in random.Random(f"{label}{seed}").randbytes(6 * 6 * 3))
    picture = Image.frombytes("RGB", (6, 6), patches).resize((40, 40), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    at = 2 + seed % 10
    if label == LABELS[0]:
        pen.ellipse((at, at, at + 20, at + 20), fill=(250, seed % 255, 250))
    else:
        pen.rectangle((at, 16, at + 24, 21), fill=(5, seed % 255, 5))
    return picture


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from birds.train import train

    folder = tmp_path_factory.mktemp("project")
    for part, count in {"train": 24, "val": 21, "test": 6}.items():
        for label in LABELS:
            (folder / "dataset" / part / label).mkdir(parents=True)
            for number in range(count):
                shown = LABELS[0] if part == "val" and number < 2 else label  # two that nobody would get right
                draw(shown, number + len(part) * 100).save(folder / "dataset" / part / label / f"{number}.png")
    train(folder, arch="base_net", epochs=(4,), lr=(0.005,), batch_size=8, calibrate=True, name="small")
    return folder


@pytest.fixture
def root(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    for name in ("dataset", "runs"):
        shutil.copytree(trained / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def without_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them takes a second, and they have tests of their own."""
    png = io.BytesIO()
    Image.new("RGB", (8, 8)).save(png, "PNG")

    def blank(found: Found, _theme: object) -> dict[str, bytes]:
        maps = (file_name(one) for one in found.result.layers if one.is_mapped)
        return dict.fromkeys(("confusion", "classes", "curves", "filters", *maps), png.getvalue())

    monkeypatch.setattr("birds.explain.writing._charts", blank)
