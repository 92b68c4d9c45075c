"""The same training with several seeds: what of a figure is the recipe, and what is chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ..errors import UsageError
from ..progress import SILENT, Progress
from .stage import train
from .training import TrainResult


@dataclass(frozen=True)
class Repeats:
    """Means over ``runs``, one for each of ``seeds``; a spread is the sample standard deviation, None for a single run.

    ``seconds`` is the mean too.
    """

    seeds: list[int]
    runs: list[TrainResult]
    valid_loss: float
    valid_loss_spread: float | None
    valid_accuracy: float
    valid_accuracy_spread: float | None
    seconds: float


def repeat(
    project: Path,
    seeds: Sequence[int],
    *,
    name: str | None = None,
    fresh: bool = False,
    progress: Progress = SILENT,
    **settings: Any,
) -> Repeats:
    """Train once with each seed. Given again after an interruption, it goes on: finished runs are taken as they are.

    Parameters
    ----------
    name : of the runs, each with its seed after it.
    fresh, settings : as `train` takes them.

    Raises
    ------
    UsageError : there is no seed. And what `train` raises.
    """
    if not seeds:
        raise UsageError("There is no seed to train with.", "--repeats is 1 or more.")
    runs = []
    for number, seed in enumerate(seeds, 1):
        if len(seeds) > 1:
            progress.note(f"Seed {seed} ({number} of {len(seeds)})")
        runs.append(
            train(
                project,
                seed=seed,
                name=name and f"{name}-{seed}",
                fresh=fresh,
                only_if_changed=not fresh,
                progress=progress,
                **settings,
            )
        )
    loss, loss_spread = mean_and_spread([run.valid_loss for run in runs])
    accuracy, accuracy_spread = mean_and_spread([run.valid_accuracy for run in runs])
    seconds = fmean(run.seconds for run in runs)
    return Repeats(list(seeds), runs, loss, loss_spread, accuracy, accuracy_spread, seconds)


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; the latter is None for a single value."""
    return fmean(values), stdev(values) if len(values) > 1 else None
