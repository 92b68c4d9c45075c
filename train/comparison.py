"""Several networks, or finished runs, in one table ranked by validation loss.

Only runs on the split that lies in ``dataset/`` are ranked: figures on other pictures say nothing about a network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import files
from ..errors import ProjectError, UsageError
from ..files import Project
from ..models import architectures
from ..models.held_out import labelled
from ..models.runs import Run, find_run
from ..models.statistics import wilson_interval
from ..progress import SILENT, Progress
from .comparison_table import Entry, draw_table, table_as_csv
from .dataset import Dataset, read_dataset
from .repeats import mean_and_spread
from .series import train_each

FINAL_NOTE = (
    "Choose by the validation loss. A network chosen by its test figures has been fitted to the test set, and these "
    "figures then promise too much."
)


@dataclass(frozen=True)
class CompareResult:
    """``ranking`` has the lowest validation loss first; ``failed`` says why an architecture is not in it.

    ``csv`` and ``picture`` are files; None where nothing could be ranked.
    """

    ranking: list[Entry]
    failed: dict[str, str]
    csv: str | None
    picture: str | None


def compare(
    project: Path,
    runs: Sequence[str] = (),
    *,
    archs: Sequence[str] = (),
    repeats: int = 1,
    seed: int = 0,
    final: bool = False,
    progress: Progress = SILENT,
    **settings: Any,
) -> CompareResult:
    """Train every architecture alike, collect the named runs, rank them all by validation loss.

    The table is written as ``runs/comparison.csv`` and ``runs/comparison.png``, over those of the last comparison.
    Given again after an interruption, it goes on: finished runs with these settings are taken as they are. An
    architecture that cannot be trained is listed with its error and does not stop the others.

    Parameters
    ----------
    runs : names of finished runs.
    archs : architectures to train.
    repeats : how many seeds to train each with, from `seed` on.
    final : export the runs and evaluate them on the held-out test set, too.
    settings : as `train` takes them, the same for all.

    Raises
    ------
    UsageError : fewer than two to compare, or no such architecture.
    ModelError : no such finished run.
    ProjectError : there is no dataset, or a run was trained on another split or other classes.
    """
    place = Project(Path(project))
    dataset = read_dataset(place)
    if len({*runs}) + len({*archs}) < 2:
        raise UsageError("There is nothing to compare.", "Example: birds compare --arch resnet18 --arch mobilenet_v2")
    for arch in archs:
        architectures.find(arch)  # a misspelt name is told now, not after the first has trained
    if final:
        labelled(place.dataset / "test")
    groups = [[_of_this_split(place, dataset, name)] for name in dict.fromkeys(runs)]
    to_train = list(dict.fromkeys(archs))
    each = [{**settings, "seed": seed, "arch": arch} for arch in to_train]
    outcomes = train_each(project, each, to_train, repeats=repeats, progress=progress)
    failed = {arch: why for arch, outcome in zip(to_train, outcomes, strict=True) if (why := outcome.failed)}
    groups += [[find_run(place, run) for run in outcome.runs] for outcome in outcomes if outcome.runs]
    ranking = sorted((entry_of(group, len(dataset.valid)) for group in _distinct(groups)), key=lambda e: e.valid_loss)
    if final:
        ranking = [with_test_figures(entry, project, progress) for entry in ranking]
    if not ranking:
        return CompareResult([], failed, None, None)
    csv, picture = place.runs / "comparison.csv", place.runs / "comparison.png"
    files.write_bytes(csv, table_as_csv(ranking, final=final).encode())
    draw_table(ranking, len(dataset.valid), picture)
    return CompareResult(ranking, failed, str(csv), str(picture))


def _of_this_split(project: Project, dataset: Dataset, name: str) -> Run:
    run = find_run(project, name)
    if (run.config["split"], run.config["classes"]) != (dataset.split, dataset.classes):
        raise ProjectError(
            f"{name} was trained on another split, or on other classes, than lie in {project.dataset}: its figures are "
            "of other pictures.",
            "Leave it out, or train it again with `birds train`.",
        )
    return run


def _distinct(groups: list[list[Run]]) -> list[list[Run]]:
    """Without what was named and came out of training as well."""
    return list({tuple(run.name for run in group): group for group in groups}.values())


def entry_of(runs: list[Run], pictures: int) -> Entry:
    """A row of the table for runs that differ in their seed only, judged on so many validation pictures."""
    results = [run.result or {} for run in runs]
    loss, loss_spread = mean_and_spread([result["valid_loss"] for result in results])
    accuracy, accuracy_spread = mean_and_spread([result["valid_accuracy"] for result in results])
    config = runs[0].config
    return Entry(
        runs=[run.name for run in runs],
        arch=config["arch"],
        weights=config["weights"],
        valid_loss=loss,
        valid_loss_spread=loss_spread,
        valid_accuracy=accuracy,
        valid_accuracy_spread=accuracy_spread,
        valid_accuracy_interval=wilson_interval(round(accuracy * pictures), pictures),
        seconds=mean_and_spread([result["seconds"] for result in results])[0],
        million_parameters=architectures.find(config["arch"]).parameters,
    )


def with_test_figures(entry: Entry, project: Path, progress: Progress) -> Entry:
    """The same row with figures of the exported runs on the held-out test set."""
    from ..evaluation import evaluate  # which few ask for
    from ..export import export

    for run in entry.runs:
        export(project, run, formats=("safetensors",), only_if_changed=True, progress=progress)  # the quickest
    tests = [evaluate(project, run, progress=progress) for run in entry.runs]
    accuracy = mean_and_spread([test.accuracy for test in tests])[0]
    return replace(
        entry,
        test_loss=mean_and_spread([test.loss for test in tests])[0],
        test_accuracy=accuracy,
        test_accuracy_interval=(
            wilson_interval(round(accuracy * tests[0].n), tests[0].n)
            if tests[0].accuracy_interval
            else None  # evaluation gives none for so few pictures
        ),
    )
