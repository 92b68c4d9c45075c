"""``birds lr-find``: a learning rate for the present dataset and network. It leaves a picture and no run."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..errors import UsageError
from ..files import Project
from ..models.trial import undisturbed
from ..progress import SILENT, Progress
from .callbacks import TrainingLoss
from .dataset import read_dataset
from .finder import Search, search
from .phases import FINE_TUNE, HEAD
from .pictures import with_normalisation
from .settings import Settings
from .stage import make_learner_of


@dataclass(frozen=True)
class LrFindResult:
    """The suggested learning rate, of the head, for ``phase``; ``picture`` is the file that shows the search."""

    lr: float
    phase: str
    arch: str
    picture: str


def find_lr(project: Path, *, phase: str | None = None, progress: Progress = SILENT, **settings: Any) -> LrFindResult:
    """Search a learning rate with fastai's finder, on a new head; drawn as ``runs/lr-find.png``.

    Parameters
    ----------
    phase : ``head`` (the body frozen; default) or ``fine_tune`` (every layer; default from scratch). `train` with
        ``lr="auto"`` searches for the second from the first's best head, so its value may differ.
    settings : as `train` takes them.

    Raises
    ------
    UsageError, ProjectError, WeightsError
    TrainError : the loss falls at no rate.
    """
    place = Project(Path(project))
    asked = Settings(**settings)
    phase = phase or (HEAD if asked.is_pretrained else FINE_TUNE)
    if phase not in (HEAD, FINE_TUNE):
        raise UsageError(f"There is no phase {phase!r}.", f"Choose from {HEAD}, {FINE_TUNE}.")
    if phase == HEAD and not asked.is_pretrained:
        raise UsageError("From scratch there is no head phase.", f"Use --phase {FINE_TUNE}.")
    dataset = read_dataset(place)
    config = with_normalisation(asked.config(dataset), dataset, progress)
    with undisturbed():
        learner = make_learner_of(config, dataset, progress)
        loss = [TrainingLoss(0.0, None, config["loss"])]
        found = search(learner, phase, is_pretrained=asked.is_pretrained, callbacks=loss, progress=progress)
    picture = place.runs / "lr-find.png"
    draw_search(found, f"{asked.arch}, phase {phase}", picture)
    return LrFindResult(found.lr, phase, asked.arch, str(picture))


def draw_search(found: Search, title: str, path: Path) -> None:
    """A PNG of the smoothed training loss by learning rate, the suggestion marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot would keep the figure alive and look for a display

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    axis.plot(found.rates, found.losses, color="#0060a8")
    at = min(range(len(found.rates)), key=lambda i: abs(found.rates[i] - found.lr))
    axis.axvline(found.lr, color="#c01818", linestyle=":", linewidth=1)
    axis.plot(found.lr, found.losses[at], "o", color="#c01818", label=f"suggested: {found.lr:.2g}")
    axis.set(xscale="log", xlabel="learning rate of the head", ylabel="smoothed training loss (nats)")
    lowest, before = np.nanmin(found.losses), max(found.losses[: at + 1])
    axis.set_ylim(lowest - 0.1 * (before - lowest), before + 0.3 * (before - lowest))  # what diverges is cut off
    axis.set_title(title, loc="left", parse_math=False)
    axis.legend(frameon=False)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    files.write_bytes(path, buffer.getvalue())
