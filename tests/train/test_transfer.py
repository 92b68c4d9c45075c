"""Transfer learning four ways: real trainings of a tiny network on tiny pictures, and what is said of them."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from birds.cli import app
from birds.errors import ProjectError, UsageError
from birds.files import Project
from birds.models.gate import torchvision
from birds.models.runs import find_run, list_runs
from birds.models.statistics import wilson_interval
from birds.train import linear_svm
from birds.train import transfer as transfer_module
from birds.train.series import Outcome
from birds.train.transfer import TransferResult, transfer
from birds.train.transfer_folds import fold_projects
from birds.train.transfer_table import (
    AUGMENTED,
    FINE_TUNED,
    SCRATCH,
    SVM,
    WAYS,
    Mapped,
    Row,
    against_report,
    draw_maps,
)  # fmt: skip
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

TINY = {
    "arch": "squeezenet1_1", "size": 32, "batch_size": 8, "epochs": (2, 1), "precision": "fp32", "views": 1
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    torch.manual_seed(0)
    save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return str(path)


def write_pictures(root: Path) -> Path:
    """Bright and dark pictures of noise, as a project with dataset/ and two folds of it."""
    chance = np.random.default_rng(0)
    for part, count in {"train": 10, "val": 6, "test": 4}.items():
        for label, level in (("claro", 150), ("oscuro", 40)):
            for number in range(count):
                places = [root / "dataset" / part]
                if part != "test":
                    places += [
                        root / "dataset" / "folds" / str(fold) / ("val" if number % 2 == fold - 1 else "train")
                        for fold in (1, 2)
                    ]
                noise = chance.integers(0, 60, (32, 32, 3)) + level
                for place in places:
                    (place / label).mkdir(parents=True, exist_ok=True)
                    Image.fromarray(noise.astype(np.uint8)).save(place / label / f"{part} {number}.png")
    split = {"fingerprint": "f", "origin": "f", "seed": 5, "ratio": "70/15/15", "plain": True}
    (root / "dataset" / "split.json").write_text(json.dumps(split))
    return root


@pytest.fixture(scope="module")
def transferred(tmp_path_factory: pytest.TempPathFactory, weights: str) -> tuple[Path, TransferResult]:
    """A project in which it was done. Tests only read it, or copy it."""
    root = write_pictures(tmp_path_factory.mktemp("transferred"))
    return root, transfer(root, weights=weights, final=True, **TINY)


def of(result: TransferResult, way: str) -> Row:
    return next(row for row in result.rows if row.way == way)


def test_four_ways_are_judged_on_the_same_pictures(transferred: tuple[Path, TransferResult]) -> None:
    root, result = transferred
    assert [row.way for row in result.rows] == list(WAYS)
    assert (result.pictures, result.folds) == (12, 0)
    for row in result.rows:
        assert row.accuracy is not None
        assert row.interval == wilson_interval(round(row.accuracy * 12), 12)
        if row.way != SVM:
            (name,) = row.runs
            ended = find_run(Project(root), name).result or {}
            assert row.accuracy == pytest.approx(ended["valid_accuracy"], abs=1e-6)
            assert row.loss == ended["valid_loss"]
    assert (of(result, SVM).runs, of(result, SVM).loss) == ([], None)
    assert of(result, SVM).accuracy == 1.0  # bright and dark, even to random features
    assert [claim.report for claim in result.report] == [
        "scratch is lowest", "features + SVM is well above scratch", "fine-tuned, augmented is best"
    ]  # fmt: skip


def test_each_way_is_trained_as_its_name_says(transferred: tuple[Path, TransferResult], weights: str) -> None:
    root, result = transferred
    config = {row.way: find_run(Project(root), row.runs[0]).config for row in result.rows if row.runs}
    assert {way: one["weights"] for way, one in config.items()} == {
        SCRATCH: "none", FINE_TUNED: weights, AUGMENTED: weights
    }  # fmt: skip
    randoms = {way: {one[name] for name in ("flip", "crop", "colour", "rotate")} for way, one in config.items()}
    assert randoms == {SCRATCH: {False}, FINE_TUNED: {False}, AUGMENTED: {True}}


def test_the_test_set_is_judged_only_when_asked(transferred: tuple[Path, TransferResult]) -> None:
    root, result = transferred
    assert of(result, SVM).test_accuracy == 1.0
    for row in result.rows:
        assert row.test_accuracy is not None
        assert row.test_interval is None  # eight pictures are too few for one
    with (root / "runs" / "transfer.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["way"] for row in rows] == list(WAYS)
    assert {"interval_low", "interval_high", "test_accuracy", "test_interval_low"} <= rows[0].keys()


def test_given_again_it_takes_what_is_there_and_leaves_the_test_set_alone(
    transferred: tuple[Path, TransferResult], tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, result = transferred
    shutil.copytree(root, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "dataset" / "test")
    before = {run.name for run in list_runs(Project(root))}
    again = transfer(tmp_path / "copy", weights=weights, **TINY)
    assert {run.name for run in list_runs(Project(tmp_path / "copy"))} == before
    assert [(row.accuracy, row.loss, row.runs) for row in again.rows] == [
        (row.accuracy, row.loss, row.runs) for row in result.rows
    ]
    assert {row.test_accuracy for row in again.rows} == {None}
    with (tmp_path / "copy" / "runs" / "transfer.csv").open(newline="") as file:
        assert not [name for name in next(csv.reader(file)) if name.startswith("test")]


def test_the_command_prints_one_object_and_a_picture_of_four_maps(
    transferred: tuple[Path, TransferResult], tmp_path: Path, weights: str
) -> None:
    root, result = transferred
    shutil.copytree(root, tmp_path / "copy")
    (tmp_path / "copy" / "birds.toml").write_text('[train]\nprecision = "fp32"\nviews = 1\naugment = false\n')
    flags = ["--arch", "squeezenet1_1", "--weights", weights, "--size", "32", "--batch-size", "8", "--epochs", "2,1"]
    answer = CliRunner().invoke(app, ["transfer", *flags, "--project", str(tmp_path / "copy"), "--json"])
    assert answer.exit_code == 0, answer.output
    printed = json.loads(answer.stdout)
    assert [row["runs"] for row in printed["rows"]] == [row.runs for row in result.rows]
    with Image.open(printed["picture"]) as picture:
        assert picture.width > 3 * picture.height
    table = CliRunner().invoke(app, ["transfer", *flags, "--project", str(tmp_path / "copy"), "--quiet"])
    assert "Of 12 validation pictures" in table.stdout
    assert "In the report scratch is lowest" in table.stdout


@pytest.mark.slow
def test_over_folds_every_picture_is_judged_once(tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_pictures(tmp_path)
    result = transfer(root, folds=True, weights=weights, **TINY)
    assert (result.pictures, result.folds) == (32, 2)
    for row in result.rows:
        assert row.accuracy is not None
        assert row.interval == wilson_interval(round(row.accuracy * 32), 32)
        assert row.spread is not None
    assert not list_runs(Project(root))  # others would judge them by pictures that they know
    folds = fold_projects(Project(root))
    assert [len(list_runs(fold)) for fold in folds] == [3, 3]
    assert of(result, FINE_TUNED).runs == [
        next(run.name for run in list_runs(fold) if run.config["weights"] != "none" and not run.config["flip"])
        for fold in folds
    ]
    (root / "dataset" / "folds" / "1" / "val" / "claro" / "train 0.png").unlink()
    (root / "dataset" / "split.json").write_text(json.dumps({"fingerprint": "another"}))
    anew = fold_projects(Project(root))[0]
    assert len(list((anew.dataset / "val").glob("*/*"))) == 15


def test_a_way_that_fails_does_not_stop_the_others(
    transferred: tuple[Path, TransferResult], tmp_path: Path, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(transferred[0], tmp_path / "copy")
    real = transfer_module.train_each

    def spoilt(project: Path, settings: Any, titles: Any, **rest: Any) -> list[Outcome]:
        outcomes = real(project, settings, titles, **rest)
        return [Outcome(failed="No luck."), *outcomes[1:]]

    monkeypatch.setattr(transfer_module, "train_each", spoilt)
    (tmp_path / "copy" / "birds.toml").write_text('[train]\nprecision = "fp32"\nviews = 1\n')
    flags = ["--arch", "squeezenet1_1", "--weights", weights, "--size", "32", "--batch-size", "8", "--epochs", "2,1"]
    answer = CliRunner().invoke(app, ["transfer", *flags, "--project", str(tmp_path / "copy"), "--json"])
    assert answer.exit_code == 1
    printed = json.loads(answer.stdout)
    assert "Not trained: scratch: No luck." in printed["error"]["message"]
    assert [(row["failed"], row["accuracy"] is None) for row in printed["rows"]] == [
        ("No luck.", True), (None, False), (None, False), (None, False)
    ]  # fmt: skip
    assert printed["report"] == []


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"arch": "base_net"}, UsageError, "nothing to transfer"),
        ({"weights": "none"}, UsageError, "nothing to transfer"),
        ({"weights": "imagenet", "size": 4}, UsageError, "--size 16 or more"),
        ({"weights": "imagenet", "folds": True, "final": True}, UsageError, "Give --folds or --final"),
    ],
)
def test_what_cannot_be_said_at_once(tmp_path: Path, settings: dict[str, Any], error: Any, said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        transfer(write_pictures(tmp_path), **settings)
    assert said in str(caught.value)


def test_without_folds_it_says_how_to_make_them(tmp_path: Path, weights: str) -> None:
    root = write_pictures(tmp_path)
    shutil.rmtree(root / "dataset" / "folds")
    with pytest.raises(ProjectError, match=r"no folds .*birds split --kfold 5"):
        transfer(root, folds=True, weights=weights, **TINY)


# -- the machine


def test_the_svm_takes_the_smallest_c_that_gets_most_of_the_validation_right() -> None:
    chance = np.random.default_rng(3)
    labels = [0, 1, 2] * 30
    features = np.eye(3)[labels] + chance.normal(0, 0.1, (90, 3))
    found = linear_svm.fit((features[:60], labels[:60]), (features[60:], labels[60:]))
    scores = []
    for c in linear_svm.CHOICES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(linear_svm, "CHOICES", (c,))
            one = linear_svm.fit((features[:60], labels[:60]), (features[60:], labels[60:]))
        scores.append(int((one.predict(features[60:]) == np.array(labels[60:])).sum()))
    assert max(scores) == 30
    assert found.c == linear_svm.CHOICES[scores.index(30)]
    assert found.has_converged


def test_the_svm_standardises_by_the_training_pictures() -> None:
    features = np.array([[0.0, 1e6], [1.0, 1e6 + 1], [0.1, 1e6 + 1], [0.9, 1e6]])
    found = linear_svm.fit((features, [0, 1, 0, 1]), (features, [0, 1, 0, 1]))
    assert found.predict(np.array([[0.2, 1e6], [0.8, 1e6]])).tolist() == [0, 1]


# -- what is said of it


def rights(**wrong: int) -> dict[str, np.ndarray]:
    """Hits of the four ways on 100 pictures of which each gets the first so many wrong."""
    names = dict(zip(("scratch", "svm", "fine_tuned", "augmented"), WAYS, strict=True))
    return {names[name]: np.arange(100) >= n for name, n in wrong.items()}


def claims(**wrong: int) -> list[bool | None]:
    is_right = rights(**wrong)
    rows = [Row(way, [], accuracy=float(hits.mean())) for way, hits in is_right.items()]
    return [claim.holds for claim in against_report(rows, is_right)]


def test_the_reports_order_is_held_against_what_was_found() -> None:
    assert claims(scratch=28, svm=10, fine_tuned=9, augmented=8) == [True, True, True]
    assert claims(scratch=5, svm=10, fine_tuned=9, augmented=8) == [False, False, False]
    assert claims(scratch=10, svm=10, fine_tuned=10, augmented=10) == [None, None, None]
    assert claims(scratch=28, svm=10, fine_tuned=9) == []


def test_a_difference_that_may_be_chance_is_said_to_be_one() -> None:
    is_right = rights(scratch=28, svm=10, fine_tuned=9, augmented=8)
    rows = [Row(way, [], accuracy=float(hits.mean())) for way, hits in is_right.items()]
    lowest, above, best = against_report(rows, is_right)
    assert "so it is here (of 100 pictures features + SVM alone gets 18 right, scratch alone 0" in above.in_words
    assert above.p == pytest.approx(2 / 2**18)
    assert lowest.p == above.p
    assert best.p == 1.0
    assert "so it is here, but that may be chance" in best.in_words


@pytest.mark.parametrize("n", [2, 8, 200])
def test_maps_of_any_number_of_classes_are_drawn(tmp_path: Path, n: int) -> None:
    labels = [f"águila pescadora de nombre largo {number}" for number in range(n)]
    truth = np.arange(3 * n) % n
    points = np.random.default_rng(1).normal(size=(3 * n, 2))
    maps = {way: Mapped(points, truth, truth > 0) for way in (SCRATCH, SVM)}
    maps[FINE_TUNED] = Mapped(np.empty((0, 2)), truth, truth > 0)
    rows = [Row(way, [], 0.5, (0.4, 0.6), silhouette=-0.1) for way in WAYS[:3]] + [Row(AUGMENTED, [], failed="No.")]
    draw_maps(rows, maps, labels, tmp_path / "maps.png")
    with Image.open(tmp_path / "maps.png") as picture:
        assert picture.width == 1980
