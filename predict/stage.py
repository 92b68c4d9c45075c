"""What an exported model says of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from .. import images
from ..errors import ImageError, UsageError
from ..models.pickles import find_export, load_export
from ..models.trained import classes_of, probabilities
from ..progress import SILENT, Progress

_BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one picture, best first."""

    file: str
    label: str
    confidence: float
    top: list[tuple[str, float]]


@dataclass(frozen=True)
class PredictResult:
    """``predictions`` in the order asked for; ``failed`` maps each file that could not be read to why."""

    predictions: list[Prediction]
    failed: dict[str, str] = field(default_factory=dict)


def predict(
    project: Path,
    pictures: Sequence[Path],
    model: str | Path | None = None,
    *,
    top: int = 3,
    progress: Progress = SILENT,
) -> PredictResult:
    """Predict the classes of picture files. One bad picture does not stop the rest.

    Parameters
    ----------
    model : an ``export.pkl``, a bundle, or a run's name; default the newest finished run.
    top : classes to give for each picture.

    Raises
    ------
    UsageError : no picture given, or none of them can be read.
    ModelError
    """
    if not pictures:
        raise UsageError("No picture given.", "Example: birds predict photo.jpg")
    path, _ = find_export(project, model)
    learner = load_export(path)
    classes = classes_of(learner)
    predictions: list[Prediction] = []
    failed: dict[str, str] = {}
    with progress.bar("predicting", len(pictures)) as bar:
        for start in range(0, len(pictures), _BATCH):
            batch = [Path(picture) for picture in pictures[start : start + _BATCH]]
            opened: dict[Path, Image.Image] = {}
            for picture in batch:
                try:
                    opened[picture] = images.open_rgb(picture)
                except ImageError as error:
                    failed[str(picture)] = error.message
            if opened:
                for picture, row in zip(opened, probabilities(learner, list(opened.values())), strict=True):
                    best = row.argsort(descending=True)[:top].tolist()
                    ranked = [(classes[i], float(row[i])) for i in best]
                    predictions.append(Prediction(str(picture), *ranked[0], top=ranked))
            bar.advance(len(batch))
    if not predictions:
        raise UsageError(next(iter(failed.values())), "Give JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF files.")
    return PredictResult(predictions, failed)
