"""Transfer learning four ways, on the same pictures, in one table.

From scratch, by a linear SVM on the features of the pretrained body, fine-tuned without and with augmentation: each
differs from the one before it in one thing. The first three see pictures as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from .. import files
from ..errors import UsageError
from ..explain.looking import look
from ..files import Project
from ..models.embedding import MOST_POINTS, drawn, lay_out, silhouettes
from ..models.feature_views import VIEWS
from ..models.features import Features, load_body
from ..models.held_out import held_out, labelled
from ..models.layer_outputs import LAST
from ..models.manifest import Preprocess
from ..models.network import as_classifier
from ..models.normalisation import normalisation_of
from ..models.picture_list import PictureList
from ..models.published import with_its_padding
from ..models.runs import Run, find_run
from ..models.statistics import interval_of, wilson_interval
from ..models.trained import open_run
from ..models.weights import NONE
from ..progress import SILENT, Progress
from . import linear_svm
from .comparison import entry_of, with_test_figures
from .dataset import Dataset, read_dataset
from .head_features import features_of
from .pictures import with_normalisation
from .series import train_each
from .settings import Settings
from .transfer_folds import fold_projects
from .transfer_table import (
    AUGMENTED,
    FINE_TUNED,
    SCRATCH,
    SVM,
    WAYS,
    Claim,
    Mapped,
    Row,
    against_report,
    draw_maps,
    rows_as_csv,
)

_BY_RUNS = (SCRATCH, FINE_TUNED, AUGMENTED)


@dataclass(frozen=True)
class TransferResult:
    """``rows`` are the four ways in the order of `WAYS`, judged on ``pictures`` validation pictures.

    Attributes
    ----------
    folds : 0 for the split itself.
    report : what a coursework report found of the four, and whether it is so here; empty where a way failed.
    csv, picture : files.
    """

    rows: list[Row]
    pictures: int
    folds: int
    report: list[Claim]
    csv: str
    picture: str


@dataclass(frozen=True)
class _Judged:
    """One way on one division of the pictures.

    Attributes
    ----------
    truth, is_right : of each validation picture, in the order of the dataset.
    vectors : float [N, d], what it decides by.
    run : None of the SVM, which has ``svm``.
    """

    truth: np.ndarray
    is_right: np.ndarray
    vectors: np.ndarray
    run: Run | None = None
    svm: linear_svm.LinearSVM | None = None


def transfer(
    project: Path,
    *,
    folds: bool = False,
    scratch_epochs: int | None = None,
    final: bool = False,
    progress: Progress = SILENT,
    **settings: Any,
) -> TransferResult:
    """Train one network four ways and judge each on the validation pictures.

    The table is written as ``runs/transfer.csv``, the maps as ``runs/transfer.png``, over those of the last time. Given
    again after an interruption, it goes on: finished runs are taken as they are, and features are cached. A training
    that fails is a row with its reason.

    The epoch that is kept, and C of the SVM, are chosen on the validation pictures, so that all four figures are a
    little too good.

    Parameters
    ----------
    folds : train and judge on each of the folds of ``birds split --kfold`` instead.
    scratch_epochs : at most so many from scratch; default what `train` does with the other settings.
    final : judge each on the held-out test set, too.
    settings : as `train` takes them; ``augment`` is not one of them.

    Raises
    ------
    UsageError : there is nothing to transfer, or a setting cannot be.
    ProjectError : there is no dataset, no folds, or no test set.
    """
    place = Project(Path(project))
    dataset = read_dataset(place)
    each = _settings_of_each(settings, scratch_epochs)
    for own in each.values():
        Settings(**own).config(dataset)  # a setting that cannot be is told before the first has trained
    if final and folds:
        raise UsageError("The folds say nothing of the test set.", "Give --folds or --final.")
    if final:
        labelled(place.dataset / "test")
    projects = fold_projects(place) if folds else [place]
    judged: list[dict[str, _Judged]] = []
    failed: dict[str, str] = {}
    for number, one in enumerate(projects, 1):
        if folds:
            progress.note(f"Fold {number} of {len(projects)}")
        judged.append(_judge_each(one, each, place.cache, failed, progress))
    rows, maps = [], {}
    for way in WAYS:
        if way in failed:
            rows.append(Row(way, [], failed=failed[way]))
            continue
        of_way = [one[way] for one in judged]
        maps[way], silhouette = _laid_out(of_way[0])
        row = replace(_row(way, of_way), silhouette=silhouette)
        rows.append(_with_test_figures(row, of_way[0], place, each[FINE_TUNED], progress) if final else row)
    is_right = {way: np.concatenate([one[way].is_right for one in judged]) for way in WAYS if way not in failed}
    csv, picture = place.runs / "transfer.csv", place.runs / "transfer.png"
    files.write_bytes(csv, rows_as_csv(rows, final=final).encode())
    part = f", fold 1 of {len(projects)}" if folds else ""
    draw_maps(rows, maps, dataset.classes, picture, part=part)
    return TransferResult(
        rows=rows,
        pictures=max((len(one) for one in is_right.values()), default=0),
        folds=len(projects) if folds else 0,
        report=against_report(rows, is_right),
        csv=str(csv),
        picture=str(picture),
    )


def _settings_of_each(settings: Mapping[str, Any], scratch_epochs: int | None) -> dict[str, dict[str, Any]]:
    """What `train` is told of each way that trains a network. Raises UsageError where nothing can be transferred."""
    common = {name: value for name, value in settings.items() if name != "augment"}
    asked = Settings(**common)
    if not asked.is_pretrained:
        raise UsageError(
            f"{asked.arch} without pretrained weights has nothing to transfer.",
            "Give --arch resnet50 or another of `birds archs`, with --weights imagenet or a file.",
        )
    scratch: dict[str, Any] = {"weights": NONE}
    if scratch_epochs is not None:
        scratch["epochs"] = (scratch_epochs,)
    return {
        SCRATCH: {**common, **scratch, "augment": False},
        FINE_TUNED: {**common, "augment": False},
        AUGMENTED: dict(common),
    }


def _judge_each(
    place: Project, each: Mapping[str, Mapping[str, Any]], cache: Path, failed: dict[str, str], progress: Progress
) -> dict[str, _Judged]:
    """Every way that has not failed before, on the dataset of `place`; what fails now is noted in `failed`."""
    dataset = read_dataset(place)
    judged = {}
    if SVM not in failed:
        progress.note(f"{SVM} (1 of {len(WAYS)})")
        judged[SVM] = _judge_svm(dataset, each[FINE_TUNED], cache, progress)
    ways = [way for way in _BY_RUNS if way not in failed]
    told = [{**each[way], "cache": cache} for way in ways]
    for way, outcome in zip(ways, train_each(place.root, told, ways, progress=progress), strict=True):
        if outcome.failed:
            failed[way] = outcome.failed
        else:
            judged[way] = _judge_run(find_run(place, outcome.runs[0]), dataset, progress)
    return judged


def _judge_run(run: Run, dataset: Dataset, progress: Progress) -> _Judged:
    """The final network of `run` on the validation pictures."""
    config = run.config
    mean, std = normalisation_of(config)
    preprocess = Preprocess(config["resize"], config["evaluation_size"], mean=mean, std=std)
    network = as_classifier(open_run(run).model).cpu().eval()
    truth = dataset.labels_of(dataset.valid)
    listed = [(path, dataset.classes[index]) for path, index in zip(dataset.valid, truth, strict=True)]
    seen, _ = look(network, preprocess, dataset.classes, listed, layers=[LAST], progress=progress)
    return _Judged(seen.truth, seen.is_right, seen.vectors[LAST], run=run)


def _judge_svm(dataset: Dataset, settings: Mapping[str, Any], cache: Path, progress: Progress) -> _Judged:
    """A linear SVM on what the body of the pretrained network sees in pictures as they are."""
    config, body = _frozen(dataset, settings, progress)
    truth = np.array(dataset.labels_of(dataset.valid))
    train, valid = (
        _vectors(features_of(paths, listed, config, body, views=_views(config), cache=cache, progress=progress))
        for paths, listed in ((dataset.train, dataset.train_list), (dataset.valid, dataset.valid_list))
    )
    machine = linear_svm.fit((train, dataset.labels_of(dataset.train)), (valid, truth.tolist()), seed=config["seed"])
    progress.note(f"C = {machine.c:g}" + ("." if machine.has_converged else ", though its solver was stopped early."))
    return _Judged(truth, machine.predict(valid) == truth, valid, svm=machine)


def _frozen(dataset: Dataset, settings: Mapping[str, Any], progress: Progress) -> tuple[dict[str, Any], Any]:
    """The config that a run with `settings` would have, and the pretrained body it would begin with."""
    asked = Settings(**settings)
    arch = with_its_padding(asked.arch, asked.source, dataset.train, progress)
    config = with_normalisation(replace(asked, arch=arch).config(dataset), dataset, progress)
    return config, load_body(arch, asked.source, progress)


def _views(config: Mapping[str, Any]) -> Sequence[str]:
    return VIEWS if config["mirror"] else VIEWS[:1]


def _vectors(found: Features) -> np.ndarray:
    """float32 [N, d]: the mean over the views, as the head of a network sees it."""
    every = np.arange(len(found))
    vectors: np.ndarray = np.mean([found.gather(every, view) for view in range(len(found.views))], axis=0)
    return vectors


def _row(way: str, judged: Sequence[_Judged]) -> Row:
    hits = np.concatenate([one.is_right for one in judged])
    runs = [one.run for one in judged if one.run is not None]
    results = [run.result or {} for run in runs]
    sizes = [len(one.is_right) for one in judged]
    shares = [float(one.is_right.mean()) for one in judged]
    return Row(
        way,
        [run.name for run in runs],
        accuracy=float(hits.mean()),
        interval=wilson_interval(int(hits.sum()), len(hits)),
        spread=stdev(shares) if len(shares) > 1 else None,
        loss=float(np.average([one["valid_loss"] for one in results], weights=sizes)) if results else None,
        seconds=fmean(one["seconds"] for one in results) if results else None,
        c=[one.svm.c for one in judged if one.svm is not None] or None,
    )


def _laid_out(judged: _Judged) -> tuple[Mapped, float | None]:
    """The map of one way, of up to 2,000 pictures, and the silhouette of these."""
    some = drawn(len(judged.truth), MOST_POINTS)
    vectors, truth = judged.vectors[some], judged.truth[some]
    each = silhouettes(vectors, truth)
    laid = Mapped(lay_out(vectors), truth, judged.is_right[some])
    return laid, None if each is None else float(each.mean())


def _with_test_figures(
    row: Row, judged: _Judged, place: Project, settings: Mapping[str, Any], progress: Progress
) -> Row:
    """The same row with accuracy on the held-out test set."""
    if judged.run is not None:
        entry = with_test_figures(entry_of([judged.run], len(judged.truth)), place.root, progress)
        return replace(row, test_accuracy=entry.test_accuracy, test_interval=entry.test_accuracy_interval)
    assert judged.svm is not None
    dataset = read_dataset(place)
    config, body = _frozen(dataset, settings, progress)
    listed = held_out(place).as_split
    paths = [path for path, _ in listed]
    found = features_of(
        paths, PictureList(paths), config, body, views=_views(config), cache=place.cache, progress=progress
    )
    right = judged.svm.predict(_vectors(found)) == np.array([dataset.classes.index(label) for _, label in listed])
    interval = interval_of(int(right.sum()), len(right))
    return replace(row, test_accuracy=float(right.mean()), test_interval=interval)
