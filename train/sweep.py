"""One training after another with other settings, in one table ranked by validation loss: a grid search.

The test set is not looked at while one chooses; with ``final`` the best alone is judged on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..errors import TrainError, UsageError
from ..files import Project
from ..models.held_out import labelled
from ..models.runs import find_run
from ..progress import SILENT, Progress
from .comparison import entry_of, with_test_figures
from .dataset import Dataset, read_dataset
from .series import train_each
from .settings import Settings
from .sweep_table import Row, draw_courses, sweep_as_csv, title_of


@dataclass(frozen=True)
class SweepResult:
    """``rows`` has the lowest validation loss first and what failed last; ``best`` is the name of the first's run.

    Attributes
    ----------
    varied : the settings that differ, which every row's ``setting`` holds.
    csv, picture : files.
    """

    rows: list[Row]
    varied: list[str]
    best: str
    csv: str
    picture: str


def sweep(
    project: Path,
    settings: Sequence[Mapping[str, Any]],
    *,
    name: str = "",
    repeats: int = 1,
    jobs: int = 1,
    final: bool = False,
    progress: Progress = SILENT,
) -> SweepResult:
    """Train with each of `settings` and rank them by validation loss.

    The table is written as ``runs/sweep.csv`` and all courses as ``runs/sweep.png``, or ``runs/sweep-NAME...``, over
    those of the last one. Given again after an interruption, it goes on. A training that fails is a row with its
    reason.

    Parameters
    ----------
    settings : as `train` takes them, one mapping for each training.
    repeats : how many seeds to train each with, from its ``seed`` on; means and spreads are in the table.
    jobs : trainings at the same time, each in a process of its own.
    final : export the best and evaluate it on the held-out test set.

    Raises
    ------
    UsageError : there are fewer than two different settings, or one that cannot work.
    ProjectError : there is no dataset; with `final`, no test set.
    TrainError : every training failed.
    """
    place = Project(Path(project))
    if name and Path(name).name != name:
        raise UsageError(f"{name!r} cannot be the name of a sweep.", "Use a plain file name.")
    dataset = read_dataset(place)
    if final:
        labelled(place.dataset / "test")
    different = _different(settings, dataset)
    varied = [one for one in dict.fromkeys(key for own in different for key in own) if _differs(one, different)]
    chosen = [{key: own.get(key) for key in varied} for own in different]
    titles = [title_of(setting) for setting in chosen]
    outcomes = train_each(project, different, titles, repeats=repeats, jobs=jobs, progress=progress)
    rows = []
    for setting, outcome in zip(chosen, outcomes, strict=True):
        runs = [find_run(place, run) for run in outcome.runs]
        rows.append(Row(setting, entry_of(runs, len(dataset.valid)) if runs else None, outcome.failed))
    rows.sort(key=lambda row: row.entry.valid_loss if row.entry else float("inf"))
    best = rows[0].entry
    if best is None:
        raise TrainError(f"None could be trained: {titles[0]}: {outcomes[0].failed}", "Change the settings.")
    if final:
        rows[0] = Row(rows[0].setting, with_test_figures(best, project, progress))
    stem = f"sweep-{name}" if name else "sweep"
    csv, picture = place.runs / f"{stem}.csv", place.runs / f"{stem}.png"
    files.write_bytes(csv, sweep_as_csv(rows, varied).encode())
    histories = [find_run(place, row.entry.runs[0]).history if row.entry else [] for row in rows]
    draw_courses(rows, histories, len(dataset.classes), picture)
    return SweepResult(rows, varied, best.runs[0], str(csv), str(picture))


def _different(settings: Sequence[Mapping[str, Any]], dataset: Dataset) -> list[dict[str, Any]]:
    """`settings` without what comes to the same; all are known to be possible before the first is trained."""
    found: list[dict[str, Any]] = []
    configs: list[dict[str, Any]] = []
    for own in settings:
        try:
            config = Settings(**own).config(dataset)
        except UsageError as error:
            raise UsageError(f"With {title_of(own)}: {error.message}", error.hint) from error
        if config not in configs:
            configs.append(config)
            found.append(dict(own))
    if len(found) < 2:
        raise UsageError(
            "There are no two different settings to try.", "Example: birds sweep --vary lr=0.01,0.001 --vary seed=0,1"
        )
    return found


def _differs(key: str, settings: Sequence[Mapping[str, Any]]) -> bool:
    return any(own.get(key) != settings[0].get(key) for own in settings)
