"""Batches: what is in them, that they are the same again, and which picture is to blame."""

import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from birds import images
from birds.errors import BirdsError
from birds.models.augmentation import Augmentation
from birds.models.data import make_dataloaders
from birds.models.gate import fastai
from birds.models.transforms import RandomCrop
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

LABELS = ("garza", "águila")
NOTHING = Augmentation(crop=False, flip=False, colour=False, rotate=False)


@pytest.fixture
def pictures(tmp_path: Path, write_images: Any) -> list[Path]:
    return write_images(tmp_path, dict.fromkeys(LABELS, 5))


@pytest.fixture
def loaders(pictures: list[Path]) -> Callable[..., Any]:
    """``loaders(seed=0)``: DataLoaders of eight pictures to train on and two to validate, in batches of three."""

    def loaders(seed: int = 0, **options: Any) -> Any:
        fastai.set_seed(seed)
        settings = {"size": 32, "evaluation_size": 40, "resize": "squish", "batch_size": 3, **options}
        return make_dataloaders(pictures[:8], pictures[8:], LABELS, **settings)

    return loaders


def epochs(loader: Any, count: int = 2) -> list[torch.Tensor]:
    """Pictures of so many epochs, [N, 3, size, size] each."""
    return [torch.cat([batch[0].as_subclass(torch.Tensor) for batch in loader]) for _ in range(count)]


def test_validation_sees_what_prediction_sees(loaders: Any, pictures: list[Path]) -> None:
    (seen,) = epochs(loaders(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7)).valid, 1)
    expected = torch.stack([torch.from_numpy(images.prepare(images.open_rgb(path), 40)) for path in pictures[8:]])
    mean, std = torch.tensor((0.1, 0.2, 0.3)), torch.tensor((0.5, 0.6, 0.7))
    torch.testing.assert_close(seen, ((expected / 255 - mean) / std).permute(0, 3, 1, 2))


def test_labels_are_places_in_the_classes(loaders: Any) -> None:
    assert [label for batch in loaders().valid for label in batch[1].tolist()] == [1, 1]


def test_views_differ_from_epoch_to_epoch_and_from_seed_to_seed(loaders: Any) -> None:
    first, second = epochs(loaders(1).train)
    (other,) = epochs(loaders(2).train, 1)
    assert first.shape == (6, 3, 32, 32)
    for one in (second, other):
        assert not any(torch.equal(a, b) for a in first for b in one)


@pytest.mark.parametrize("workers", [1, 2])
def test_loader_workers_change_nothing(loaders: Any, workers: int) -> None:
    alone, helped = (epochs(loaders(3, num_workers=number).train) for number in (0, workers))
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


def test_what_others_draw_from_the_global_generator_changes_no_view(loaders: Any) -> None:
    def with_noise() -> list[torch.Tensor]:
        loader = loaders(3, augmentation=Augmentation(rotate=False)).train
        random.seed(99)
        np.random.seed(99)
        return epochs(loader)

    plain = epochs(loaders(3, augmentation=Augmentation(rotate=False)).train)
    assert all(torch.equal(a, b) for a, b in zip(plain, with_noise(), strict=True))


@pytest.mark.parametrize("flag", ["crop", "flip", "colour", "rotate"])
def test_each_augmentation_can_be_had_alone_and_none_at_all(loaders: Any, flag: str) -> None:
    def distinct(augmentation: Augmentation) -> int:
        """Different views of 8 pictures in 4 epochs."""
        loader = loaders(augmentation=augmentation, batch_size=8).train
        return len({view.numpy().tobytes() for epoch in epochs(loader, 4) for view in epoch})

    assert distinct(NOTHING) == 8
    assert distinct(Augmentation(**{**vars(NOTHING), flag: True})) > 10


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("number", "part"), [(0, "train"), (4, "train"), (9, "valid")])
def test_a_picture_that_cannot_be_read_is_named_in_one_line(
    loaders: Any, pictures: list[Path], number: int, part: str, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures[number].write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(BirdsError) as caught:
        epochs(getattr(loaders(batch_size=8, num_workers=workers), part))
    assert str(pictures[number]) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_the_loaders_can_be_exported(loaders: Any, pictures: list[Path]) -> None:
    again = pickle.loads(pickle.dumps(loaders().new_empty()))
    (batch,) = again.test_dl(pictures[:2], num_workers=0)
    assert batch[0].shape == (2, 3, 40, 40)


def test_crops_of_exports_from_before_augmentations_could_be_chosen_still_load() -> None:
    older = RandomCrop(32)
    del older.augmentation
    assert pickle.loads(pickle.dumps(older)).encodes(fastai.PILImage(Image.new("RGB", (64, 64)))).size == (32, 32)


@given(st.integers(1, 400), st.integers(1, 400), st.integers())
@settings(max_examples=60, deadline=None)
def test_pictures_of_any_size_have_views_and_the_same_ones_again(width: int, height: int, seed: int) -> None:
    picture = Image.linear_gradient("L").rotate(30).resize((width, height)).convert("RGB")
    first, second = (Augmentation().view(picture, 8, random.Random(seed)) for _ in range(2))
    assert first.size == (8, 8)
    assert first == second


def test_crops_keep_half_the_area_to_all_of_it() -> None:
    """On a picture whose channels say where in it a pixel is, in 256ths."""
    across, down = Image.linear_gradient("L").rotate(90), Image.linear_gradient("L")
    where = Image.merge("RGB", [across, down, down])
    areas, aspects = [], []
    for seed in range(300):
        seen = np.asarray(Augmentation(flip=False, colour=False).view(where, 64, random.Random(seed)), np.float64)
        w, h = (abs(np.ptp(seen[..., channel])) / 256 for channel in (0, 1))
        areas.append(w * h)
        aspects.append(w / h)
    assert 0.45 < min(areas) < 0.6
    assert 0.9 < max(areas) <= 1
    assert 0.68 < min(aspects) < 0.85
    assert 1.2 < max(aspects) < 1.45


def test_half_of_the_views_are_mirrored() -> None:
    only = Augmentation(crop=False, colour=False)
    across = Image.linear_gradient("L").rotate(90).convert("RGB")
    lefts = [only.view(across, 8, random.Random(seed)).getpixel((0, 4))[0] for seed in range(200)]
    assert 70 < sum(left > 127 for left in lefts) < 130
    assert len(set(lefts)) == 2


def test_light_is_fastais_brightness_and_contrast() -> None:
    """Every view is one of fastai's with some change of brightness and some of contrast within its limits."""
    from fastai.vision.augment import Brightness, Contrast, setup_aug_tfms

    grays = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(256, axis=0))
    only = Augmentation(crop=False, flip=False)
    unchanged = 0
    for seed in range(40):
        seen = np.asarray(only.view(grays, 256, random.Random(seed)))[0, :, 0] / 255
        logit = np.log(seen[40:216] / (1 - seen[40:216]))
        value = np.arange(40, 216) / 255
        contrast, shift = np.polyfit(np.log(value / (1 - value)), logit, 1)
        brightness = 1 / (1 + np.exp(-shift / contrast))
        assert 0.79 < contrast < 1.26
        assert 0.395 < brightness < 0.605
        unchanged += np.array_equal(seen * 255, np.arange(256))
        (transform,) = setup_aug_tfms([Brightness(draw=brightness, p=1), Contrast(draw=contrast, p=1)])
        theirs = transform(
            fastai.TensorImage(torch.arange(256)[None, None, None].expand(1, 3, 1, 256) / 255), split_idx=0
        )
        np.testing.assert_allclose(seen, theirs[0, 0, 0].numpy(), atol=0.004)
    assert 0 < unchanged < 10
