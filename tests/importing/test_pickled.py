"""Pickled dictionaries of pictures: which shapes and keys are understood, and what is said of others."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from birds.errors import UsageError
from birds.importing.arrays import as_pictures
from birds.importing.dataset import Dataset
from birds.importing.formats import read_dataset

COLOUR = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
GRAY = COLOUR[..., 0]
LABELS = [0, 1, 1, 0]


def _read(tmp_path: Path, document: object) -> Dataset:
    path = tmp_path / "emoji.pkl"
    path.write_bytes(pickle.dumps(document))
    return read_dataset(path, "pickle")


def _pictures(dataset: Dataset) -> np.ndarray:
    return np.stack([np.asarray(picture) for _, picture in dataset.pictures(dataset.items)])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (COLOUR, COLOUR),
        (GRAY, GRAY),
        (GRAY[..., None], GRAY),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR),
        (GRAY[:, None], GRAY),
        (COLOUR.transpose(0, 3, 1, 2).reshape(4, -1), COLOUR),
        (GRAY.reshape(4, -1), GRAY),
        (COLOUR / 255, COLOUR),
        ((COLOUR / 255).astype(np.float32), COLOUR),
        (COLOUR.astype(np.int64), COLOUR),
        (COLOUR.astype(np.float32), COLOUR),
        (GRAY > 100, (GRAY > 100) * np.uint8(255)),
        (np.concatenate([COLOUR, np.full((4, 8, 8, 1), 255, np.uint8)], axis=3), COLOUR),
        (np.concatenate([COLOUR, np.zeros((4, 8, 8, 1), np.uint8)], axis=3), np.full_like(COLOUR, 255)),
    ],
)
def test_arrays_of_every_usual_shape_are_the_same_pictures(given: np.ndarray, expected: np.ndarray) -> None:
    assert np.array_equal(as_pictures(given, "here"), expected)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((4, 8, 8, 2), np.uint8), r"arrays of shape \(4, 8, 8, 2\) are no pictures"),
        (np.zeros((4, 100, 3), np.uint8)[..., None, None], "are no pictures"),
        (np.zeros((4, 3000), np.uint8), r"arrays of shape \(4, 3000\)"),
        (np.zeros(4, np.uint8), "are no pictures"),
        (np.zeros((0, 8, 8), np.uint8), "are no pictures"),
        (GRAY.astype(np.int64) * 2, "the numbers of type int64 are no pixels"),
        (GRAY / 255 - 0.5, "the numbers of type float64 are no pixels"),
        (np.full((4, 8, 8), np.nan), "are no pixels"),
        (np.full((4, 8, 8), "a"), "are no pixels"),
    ],
)
def test_arrays_that_are_no_pictures_are_told(given: np.ndarray, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        as_pictures(given, "here")


@pytest.mark.parametrize(
    ("document", "labels"),
    [
        ({"data": COLOUR, "labels": LABELS, "classes": ["risa", "llanto"]}, ["risa", "llanto", "llanto", "risa"]),
        ({b"images": COLOUR, b"target": np.array(LABELS), b"target_names": np.array(["b", "a"])}, ["b", "a", "a", "b"]),
        ({"X": COLOUR, "y": [7, 30, 30, 7]}, ["7", "30", "30", "7"]),
        ({"X": COLOUR, "y": ["sol", "luna", "luna", "sol"]}, ["sol", "luna", "luna", "sol"]),
        ({"X": COLOUR, "y": np.array(["sol", "luna", "luna", "sol"])}, ["sol", "luna", "luna", "sol"]),
        ({"X": list(COLOUR), "y": LABELS, "names": {0: "u", 1: "o"}}, ["u", "o", "o", "u"]),
        ({"X": COLOUR, "y": LABELS, "classes": {"u": 0, "o": 1}}, ["u", "o", "o", "u"]),
        ({"risa": COLOUR[:1], "llanto": COLOUR[1:]}, ["risa", "llanto", "llanto", "llanto"]),
    ],
)
def test_dictionaries_of_the_usual_keys_are_understood(tmp_path: Path, document: object, labels: list[str]) -> None:
    dataset = _read(tmp_path, document)
    assert [item.label for item in dataset.items] == labels
    assert {item.part for item in dataset.items} == {None}
    assert np.array_equal(_pictures(dataset), COLOUR)


@pytest.mark.parametrize(
    "document",
    [
        {"X_train": COLOUR[:3], "y_train": LABELS[:3], "X_test": COLOUR[3:], "y_test": LABELS[3:]},
        {"train_images": COLOUR[:3], "train_labels": LABELS[:3], "test_images": COLOUR[3:], "test_labels": LABELS[3:]},
        {"train": {"x": COLOUR[:3], "y": LABELS[:3]}, "test": {"x": COLOUR[3:], "y": LABELS[3:]}, "about": "drawn"},
    ],
)
def test_parts_are_kept(tmp_path: Path, document: object) -> None:
    dataset = _read(tmp_path, document)
    assert [(item.label, item.part) for item in dataset.items] == [
        ("0", "test"), ("0", "train"), ("1", "train"), ("1", "train"),
    ]  # fmt: skip
    assert np.array_equal(_pictures(dataset), COLOUR[[3, 0, 1, 2]])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([COLOUR, LABELS], "holds no dictionary"),
        ({}, "holds no dictionary"),
        ({"data": COLOUR}, "has no labels among its keys"),
        ({"data": "here", "labels": LABELS}, "the pictures are no numpy array"),
        ({"a": 1, "b": 2}, "holds neither pictures with labels nor pictures by class"),
        ({"data": COLOUR, "labels": LABELS[:3]}, "has 4 pictures and 3 labels"),
        ({"data": COLOUR, "labels": np.eye(4)}, r"labels have the shape \(4, 4\)"),
        ({"data": COLOUR, "labels": [0, 1, 2, 0], "classes": ["a", "b"]}, "label 2 of picture 2 is none of 0 to 1"),
        ({"data": COLOUR, "labels": [0, 1, -1, 0], "classes": ["a", "b"]}, "label -1 of picture 2"),
        (
            {"data": COLOUR, "labels": ["a", "c", "a", "a"], "classes": ["a", "b"]},
            "the label 'c' is none of",
        ),
        ({"data": COLOUR, "labels": [0.5, 1, 2, 3]}, "neither whole numbers nor texts"),
        ({"data": COLOUR, "labels": ["a", "b", "../c", "a"]}, "cannot be a label"),
        ({"data": COLOUR[..., :2], "labels": LABELS}, r"emoji.pkl: arrays of shape \(1, 8, 8, 2\) are no pictures"),
        ({"data": [COLOUR[0], COLOUR[0, :4]], "labels": [0, 1]}, "the pictures differ in shape"),
    ],
)
def test_what_cannot_be_imported_is_told(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        _read(tmp_path, document)
    assert "\n" not in str(caught.value)


def test_whether_numbers_go_to_1_or_255_is_decided_by_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("birds.importing.pickled.AT_A_TIME", 2)
    pictures = np.zeros((4, 8, 8))
    pictures[0], pictures[3] = 1, 200  # the first two alone could be shares of white
    dataset = _read(tmp_path, {"x": pictures, "y": LABELS})
    assert np.array_equal(_pictures(dataset), pictures)
