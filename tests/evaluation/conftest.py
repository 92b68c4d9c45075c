"""A project with a really trained and exported tiny network, whose tests only read it."""

import io
import random
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageDraw


def draw(label: str, seed: int) -> Image.Image:
    """One of two shapes on soft patches, no two grounds alike."""
    patches = bytes(50 + value // 2 for value in random.Random(f"{label}{seed}").randbytes(6 * 6 * 3))
    picture = Image.frombytes("RGB", (6, 6), patches).resize((48, 48), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    at = 2 + seed % 12
    if label == "círculo":
        pen.ellipse((at, at, at + 24, at + 24), outline=(200, seed % 255, 200), width=2)
    else:
        pen.rectangle((at, at + 8, at + 28, at + 11), fill=(60, seed % 255, 60))
    return picture


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from birds.export import export
    from birds.models.gate import torchvision
    from birds.train import train
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("project")
    for part, count in {"train": 16, "val": 10, "test": 12}.items():
        for label in ("círculo", "raya negra"):
            (folder / "dataset" / part / label).mkdir(parents=True)
            for number in range(count):
                draw(label, number + len(part) * 100).save(folder / "dataset" / part / label / f"{number}.png")
    torch.manual_seed(0)
    weights = folder / "weights.safetensors"
    save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), weights)
    train(folder, arch="squeezenet1_1", weights=str(weights), size=32, batch_size=8, epochs=(2, 1), name="one")
    export(folder)
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
    names = ("confusion", "classes", "reliability", "coverage")
    monkeypatch.setattr(
        "birds.evaluation.writing.charts", lambda result, matrix, theme: dict.fromkeys(names, png.getvalue())
    )
