"""What is taken off the pixels: of the training pictures, kept in the run, used by whoever opens it."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from birds import images
from birds.errors import TrainError
from birds.models import architectures
from birds.models.normalisation import channel_statistics, normalisation_of
from birds.models.runs import Run
from birds.models.trained import open_run, probabilities
from birds.models.transforms import label_of, picture_files
from birds.train.stage import train
from PIL import Image

TINY = {"arch": "base_net", "batch_size": 4, "epochs": (1,), "precision": "fp32", "workers": 0, "calibrate": False}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two classes of reddish noise, one darker than the other."""
    chance = np.random.default_rng(3)
    for part, count in (("train", 6), ("val", 4)):
        for label, brightness in (("claro", 150), ("oscuro", 60)):
            folder = tmp_path / "dataset" / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(0, 100, (40, 40, 3)) + np.array([brightness, brightness // 2, 0])
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return tmp_path


def test_the_figures_are_those_of_all_pixels_whatever_the_order(project: Path) -> None:
    files = picture_files(project / "dataset" / "train")
    pixels = np.concatenate([images.prepare(images.open_rgb(one), 32).reshape(-1, 3) for one in files]) / 255
    mean, std = channel_statistics(files, size=32, resize="squish")
    assert mean == pytest.approx(pixels.mean(axis=0), abs=1e-5)
    assert std == pytest.approx(pixels.std(axis=0), abs=1e-5)
    shuffled = random.Random(1).sample(files, len(files))
    assert channel_statistics(shuffled, size=32, resize="squish")[0] == pytest.approx(mean, abs=1e-5)


def test_pictures_of_one_colour_are_not_divided_by_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (0, 128, 255)).save(tmp_path / "plain.png")
    mean, std = channel_statistics([tmp_path / "plain.png"], size=16, resize="squish")
    assert mean == pytest.approx((0, 128 / 255, 1), abs=1e-5)
    assert min(std) > 0


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(TrainError, match=r"broken\.png"):
        channel_statistics([tmp_path / "broken.png"], size=16, resize="squish")


def test_from_scratch_a_run_keeps_its_own_figures_and_whoever_opens_it_uses_them(project: Path) -> None:
    result = train(project, **TINY)
    run = Run(project / "runs" / result.run)
    mean, std = channel_statistics(picture_files(project / "dataset" / "train"), size=32, resize="squish")
    assert normalisation_of(run.config) == (mean, std)
    assert (tuple(run.config["mean"]), tuple(run.config["std"])) == (mean, std)
    valid = picture_files(project / "dataset" / "val")
    truth = torch.tensor([run.config["classes"].index(label_of(one)) for one in valid])
    loss = torch.nn.functional.nll_loss(probabilities(open_run(run), valid).log(), truth).item()
    assert loss == pytest.approx(result.valid_loss, abs=1e-5)


@pytest.mark.parametrize(("normalise", "expected"), [("none", ((0, 0, 0), (1, 1, 1))), ("published", None)])
def test_pictures_are_normalised_as_asked(project: Path, normalise: str, expected: object) -> None:
    run = Run(project / "runs" / train(project, normalise=normalise, **TINY).run)
    architecture = architectures.find("base_net")
    assert normalisation_of(run.config) == (expected or (architecture.mean, architecture.std))


def test_a_run_of_before_the_choice_has_what_its_architecture_publishes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"arch": "resnet18"}))
    assert normalisation_of(Run(tmp_path).config) == (architectures.IMAGENET_MEAN, architectures.IMAGENET_STD)


def test_features_of_pictures_normalised_otherwise_are_others(project: Path, tmp_path: Path) -> None:
    from birds.models.features import features
    from birds.models.picture_list import PictureList

    body, _ = architectures.make_body("squeezenet1_1")
    pictures = PictureList(picture_files(project / "dataset" / "val"))
    common = {"arch": "squeezenet1_1", "body": body, "cache": tmp_path / "cache", "views": ("whole",), "size": 32}
    usual = features(pictures, **common).gather(np.arange(2), 0)
    own = features(pictures, normalisation=((0.1, 0.2, 0.3), (0.2, 0.2, 0.2)), **common).gather(np.arange(2), 0)
    assert np.abs(own - usual).max() > 1e-3
