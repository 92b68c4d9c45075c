"""A project with a really trained and exported tiny network, whose tests only read it."""

import shutil
from pathlib import Path

import pytest
import torch
from birds.export import export
from birds.train import train
from PIL import Image, ImageDraw
from safetensors.torch import save_file


def draw(label: str, seed: int) -> Image.Image:
    picture = Image.new("RGB", (40, 40), (seed * 37 % 120 + 60, seed * 11 % 80 + 80, 100))
    pen = ImageDraw.Draw(picture)
    at = 2 + seed % 12
    if label == "círculo":
        pen.ellipse((at, at, at + 20, at + 20), fill=(240, seed % 255, 240))
    else:
        pen.rectangle((at, 16, at + 24, 20), fill=(10, seed % 255, 10))
    return picture


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from birds.models.gate import torchvision

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
