"""Copies of large photographs: when they are made, what they show, and what may go wrong."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from birds import images
from birds.files import sha256_of
from birds.models.augmentation import Augmentation
from birds.models.picture_list import PictureList
from birds.models.presized import prepare_once, presize
from birds.models.transforms import label_of
from PIL import Image

LARGE, SMALL = (400, 300), (120, 90)


@pytest.fixture
def pictures(tmp_path: Path, make_picture: Any, jpeg: Any) -> list[tuple[str, Path]]:
    """Two large photographs and a small one, under two labels."""
    paths = []
    for number, (label, size) in enumerate((("águila", LARGE), ("garza", SMALL), ("garza", LARGE))):
        path = tmp_path / "dataset" / label / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(make_picture(number, size)))
        paths.append(path)
    return [(sha256_of(path), path) for path in paths]


def test_large_pictures_are_scaled_down_once_and_small_ones_left_alone(
    tmp_path: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, small, third = presize(pictures, tmp_path / "cache", size=64)
    assert small == pictures[1][1]
    for place, (_, original) in ((first, pictures[0]), (third, pictures[2])):
        assert label_of(place) == label_of(original)
        with Image.open(place) as copy:
            assert (copy.format, copy.size) == ("JPEG", (128, 96))
            assert copy.layer[1][1:3] == (1, 1), "colours are as fine as the rest"
        whole = np.asarray(images.open_rgb(original).resize((128, 96)), np.float32)
        assert np.abs(np.asarray(images.open_rgb(place)) - whole).mean() < 3
    monkeypatch.setattr(images, "decode", None)
    assert presize(pictures, tmp_path / "cache", size=64) == [first, small, third]


def test_another_size_and_another_content_are_other_copies(tmp_path: Path, pictures: Any, jpeg: Any) -> None:
    places = presize(pictures, tmp_path / "cache", size=64)
    assert presize(pictures, tmp_path / "cache", size=48)[0] not in places
    pictures[0][1].write_bytes(pictures[2][1].read_bytes())
    edited = [(sha256_of(path), path) for _, path in pictures]
    (place, *_) = presize(edited, tmp_path / "cache", size=64)
    assert place != places[0]
    np.testing.assert_array_equal(images.open_rgb(place), images.open_rgb(places[2]))


def test_random_views_of_a_copy_look_like_those_of_the_original(tmp_path: Path, pictures: Any) -> None:
    (place, *_) = presize(pictures, tmp_path / "cache", size=64)
    augmentation = Augmentation(flip=False, colour=False, crop=False)
    views = [augmentation.view(images.open_rgb(path), 64, random.Random(1)) for path in (place, pictures[0][1])]
    assert np.abs(np.subtract(*(np.asarray(view, np.float32) for view in views))).mean() < 3


@pytest.mark.parametrize("resize", ["trim", "squish"])
def test_validation_copies_give_exactly_the_pixels_of_prediction(
    tmp_path: Path, make_picture: Any, jpeg: Any, pictures: Any, resize: str
) -> None:
    pictures[0][1].write_bytes(jpeg(make_picture(0, (600, 300))))
    pictures[0] = (sha256_of(pictures[0][1]), pictures[0][1])
    places = prepare_once(pictures, tmp_path / "cache", evaluation_size=72, resize=resize)
    other = prepare_once(pictures, tmp_path / "cache", evaluation_size=72, resize="crop")
    assert not set(places[::2]) & set(other[::2]), "copies of another way are other copies"
    assert places[1] == pictures[1][1]
    for place, (_, original) in zip(places, pictures, strict=True):
        assert label_of(place) == label_of(original)
        expected = images.prepare(images.open_rgb(original), 72, resize)
        np.testing.assert_array_equal(images.prepare(images.open_rgb(place), 72, resize), expected)
    assert images.open_rgb(places[0]).size == (72, 72)


@pytest.mark.parametrize("copies", [presize, prepare_once])
def test_what_cannot_be_read_is_left_to_whoever_opens_it(
    tmp_path: Path, pictures: Any, copies: Any, notes: Any
) -> None:
    (_, gone), (_, _), (_, damaged) = pictures
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:2000])
    listed = [*pictures[:2], (sha256_of(damaged), damaged)]
    sizes = {"size": 64} if copies is presize else {"evaluation_size": 72, "resize": "trim"}
    assert copies(listed, tmp_path / "cache", progress=notes, **sizes) == [path for _, path in pictures]
    assert notes.lines == []


def test_a_picture_edited_since_is_no_copy_of_its_old_content(tmp_path: Path, pictures: Any, jpeg: Any) -> None:
    pictures[0][1].write_bytes(pictures[2][1].read_bytes())
    assert presize(pictures, tmp_path / "cache", size=64)[0] == pictures[0][1]


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, pictures: Any, notes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("birds.models.presized.files.write_bytes", full)
    assert presize(pictures, tmp_path / "cache", size=64, progress=notes) == [path for _, path in pictures]
    (note,) = notes.lines
    assert "No space left on device" in note


def test_more_pictures_than_are_worked_on_at_once_stay_in_order(tmp_path: Path, pictures: Any) -> None:
    many = pictures * 50
    places = presize(many, tmp_path / "cache", size=64)
    assert places == presize(pictures, tmp_path / "cache", size=64) * 50


def test_a_list_of_pictures_is_what_a_list_of_pairs_is(pictures: Any) -> None:
    listed = PictureList([path for _, path in pictures])
    assert list(listed) == pictures
    assert (listed[-1], listed[1:], listed[:9], listed[3:]) == (pictures[-1], pictures[1:], pictures, [])
    with pytest.raises(IndexError):
        listed[3]
