"""Suspected labels on drawn clusters, and on real photographs where they lie beside the checkout."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from birds.clean.labels import FOLDS, guess_labels, suspect_labels
from birds.errors import WeightsError
from birds.files import Project
from birds.models.transforms import label_of, picture_files
from birds.progress import SILENT
from birds.reconcile import inspect_stored, reconcile
from birds.record import Record, State
from hypothesis import given, settings
from hypothesis import strategies as st

CLASSES = ("cigüeña", "garza", "milano negro")


def clusters(n: int, seed: int = 0, spread: float = 1.0) -> tuple[np.ndarray, list[str]]:
    """n pictures of each class around a centre of its own, [3n, 20]."""
    chance = np.random.default_rng(seed)
    centres = np.repeat(chance.normal(size=(len(CLASSES), 20)) * 3, n, axis=0)
    labels = [label for label in CLASSES for _ in range(n)]
    return (centres + chance.normal(size=centres.shape) * spread).astype(np.float32), labels


def other(label: str, step: int = 1) -> str:
    return CLASSES[(CLASSES.index(label) + step) % len(CLASSES)]


@given(st.integers(0, 2**32 - 1), st.sets(st.integers(0, 59), min_size=1, max_size=5))
@settings(max_examples=6, deadline=None)
def test_swapped_labels_come_first(seed: int, wrong: set[int]) -> None:
    vectors, true = clusters(20, seed)
    labels = [other(label, 1 + i % 2) if i in wrong else label for i, label in enumerate(true)]
    guesses = guess_labels(vectors, labels, range(60))
    queue = sorted(range(60), key=lambda i: guesses[i].label_quality)  # type: ignore[union-attr]
    assert set(queue[: len(wrong)]) == wrong
    assert [guesses[i].predicted for i in wrong] == [true[i] for i in wrong]  # type: ignore[union-attr]


@pytest.mark.parametrize("wrong", [set(), {3, 45}, {1, 2, 25, 30, 50, 51}])
def test_wrong_labels_are_suspected_and_right_ones_are_not(wrong: set[int]) -> None:
    vectors, true = clusters(20)
    labels = [other(label) if i in wrong else label for i, label in enumerate(true)]
    guesses = guess_labels(vectors, labels, range(60))
    assert {i for i, guess in enumerate(guesses) if guess and guess.is_suspected} == wrong


def test_right_labels_are_predicted() -> None:
    vectors, labels = clusters(20)
    guesses = guess_labels(vectors, labels, range(60))
    assert all(guess and guess.predicted == label for guess, label in zip(guesses, labels, strict=True))


def test_a_copy_under_the_same_wrong_label_does_not_vouch_for_it() -> None:
    vectors, labels = clusters(20)
    vectors[:4] = vectors[25]  # four copies of a heron among the storks
    alone, together = list(range(60)), [0, 0, 0, 0, *range(4, 60)]
    vouched, unvouched = (guess_labels(vectors, labels, groups)[0] for groups in (alone, together))
    assert vouched is not None
    assert unvouched is not None
    assert vouched.label_quality > 0.2  # its copies are among what the classifier learned from
    assert unvouched.label_quality < 0.05


def test_classes_with_too_few_different_pictures_are_not_judged() -> None:
    vectors, labels = clusters(12)
    labels[:2] = ["loro", "loro"]
    labels[2:9] = ["periquito"] * 7
    groups = list(range(36))
    groups[2:9] = [2, 2, 2, 3, 4, 5, 5]  # seven pictures, but of four shots
    guesses = guess_labels(vectors, labels, groups)
    assert guesses[:9] == [None] * 9
    assert [guess is None for guess in guesses[12:]] == [False] * 24
    assert all(guess.predicted in CLASSES for guess in guesses if guess)


def test_five_different_pictures_are_enough() -> None:
    vectors, labels = clusters(FOLDS)
    assert None not in guess_labels(vectors, labels, range(15))
    assert guess_labels(vectors[1:], labels[1:], range(14))[: FOLDS - 1] == [None] * (FOLDS - 1)


def test_one_class_alone_and_no_picture_at_all_are_not_judged() -> None:
    vectors, labels = clusters(10)
    assert guess_labels(vectors[:10], labels[:10], range(10)) == [None] * 10
    assert guess_labels(vectors[:0], [], []) == []


def test_pictures_without_features_are_not_judged() -> None:
    vectors, labels = clusters(10)
    vectors[4] = np.nan
    guesses = guess_labels(vectors, labels, range(30))
    assert [i for i, guess in enumerate(guesses) if guess is None] == [4]


def test_a_feature_that_never_varies_changes_nothing() -> None:
    vectors, labels = clusters(10)
    vectors[:, 0] = 7
    assert None not in guess_labels(vectors, labels, range(30))


def test_the_same_seed_gives_the_same_guesses_and_another_does_not() -> None:
    vectors, labels = clusters(10, spread=4)
    first = guess_labels(vectors, labels, range(30), seed=1)
    assert guess_labels(vectors, labels, range(30), seed=1) == first
    assert guess_labels(vectors, labels, range(30), seed=2) != first


def test_figures_are_probabilities_and_agree_with_each_other() -> None:
    vectors, labels = clusters(10, spread=4)
    for label, guess in zip(labels, guess_labels(vectors, labels, range(30)), strict=True):
        assert guess is not None
        assert 0 <= guess.label_quality <= guess.confidence <= 1
        assert (guess.predicted == label) == (guess.label_quality == guess.confidence)


def stored(root: Path) -> tuple[Any, list[Path]]:
    """The record's files of a project folder, and where they lie."""
    project = Project(root)
    with Record(project) as record:
        reconcile(project, record)
        inspect_stored(project, record, SILENT)
        files = record.files(State.STORED)
    return files, [project.images / file.label / file.name for file in files]


@pytest.fixture
def squeezenet(tmp_path: Path) -> str:
    """A weights file of SqueezeNet 1.1, the smallest network there is: random, whole, by another name."""
    import torch
    from birds.models.gate import torchvision
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return str(path)


def test_guesses_come_by_file_and_what_is_not_judged_is_said(
    tmp_path: Path, write_images: Any, squeezenet: str, notes: Any
) -> None:
    write_images(tmp_path, {"cigüeña": 6, "garza": 6, "loro": 2})
    files, paths = stored(tmp_path)
    paths[0].write_bytes(b"gone bad")
    guesses = suspect_labels(
        files, paths, range(len(files)), weights=squeezenet, arch=None, cache=tmp_path / "cache", progress=notes
    )
    assert set(guesses) == {file.id for file in files[1:] if file.label != "loro"}
    assert notes.lines == [
        "Not every label was checked: 1 of the pictures cannot be read; fewer than 5 different pictures in loro."
    ]


def test_too_few_classes_are_said(tmp_path: Path, write_images: Any, squeezenet: str, notes: Any) -> None:
    write_images(tmp_path, {"cigüeña": 5, "garza": 1})
    files, paths = stored(tmp_path)
    guesses = suspect_labels(
        files, paths, range(6), weights=squeezenet, arch=None, cache=tmp_path / "cache", progress=notes
    )
    assert guesses == {}
    assert notes.lines == ["Not every label was checked: no two classes have 5 different pictures each."]


@pytest.mark.parametrize("weights", ["none", "missing.safetensors"])
def test_without_weights_it_says_so(tmp_path: Path, weights: str) -> None:
    with pytest.raises(WeightsError, match="--weights FILE"):
        suspect_labels([], [], [], weights=weights, arch=None, cache=tmp_path)


def test_an_architecture_that_the_weights_do_not_fit_is_refused(tmp_path: Path, squeezenet: str) -> None:
    with pytest.raises(WeightsError, match="does not fit mobilenet_v2"):
        suspect_labels([], [], [], weights=squeezenet, arch="mobilenet_v2", cache=tmp_path)


def test_storks_among_parakeets_are_found_in_real_photographs(tmp_path: Path, real_data: Path) -> None:
    folder = tmp_path / "images"
    wrong = set()
    for label, intruder in (("cigüeña", "periquito"), ("periquito", "cigüeña")):
        (folder / label).mkdir(parents=True)
        for kind, some in ((label, slice(0, 30)), (intruder, slice(30, 33))):
            for path in [p for p in picture_files(real_data / "birds8") if label_of(p) == kind][some]:
                (folder / label / path.name).write_bytes(path.read_bytes())
                if kind == intruder:
                    wrong.add(path.name)
    files, paths = stored(tmp_path)
    weights = str(real_data / "weights" / "squeezenet1_1-imagenet.safetensors")
    guesses = suspect_labels(files, paths, range(66), weights=weights, arch=None, cache=tmp_path / "cache")
    names = {file.id: file.name for file in files}
    queue = sorted(guesses, key=lambda id_: guesses[id_].label_quality)
    assert {names[id_] for id_ in queue[:6]} == wrong
    assert {names[id_] for id_ in queue if guesses[id_].is_suspected} & wrong
