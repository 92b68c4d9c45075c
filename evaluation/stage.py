"""How good the exported model is, on pictures it never saw."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from .. import images
from ..errors import ImageError, ProjectError, UsageError
from ..files import Project
from ..models.held_out import HeldOut, Labelled, held_out, labelled, refuse_another_split
from ..models.pickles import find_export, load_export
from ..models.statistics import confusion_matrix, per_class, wilson_interval
from ..models.trained import classes_of, load_phase, phases_of, probabilities
from ..progress import SILENT, Progress
from .charts import draw_confusion

PHASES = ("head", "final", "both")


@dataclass(frozen=True)
class EvaluateResult:
    """Figures on ``n`` pictures. ``loss`` is cross-entropy in nats; the interval is Wilson's at 95%.

    Attributes
    ----------
    per_class : label -> n, precision, recall, recall_interval, f1.
    skipped : reason -> number of pictures that could not be judged (unreadable, or of a class the model has not).
    confusion_matrix : path of the picture.
    phases : with ``--phase both``, the same figures after each phase.
    corrected : where a person decided about test pictures after a run was finished: the same figures with these
        decisions. The others are of the test set as it was split.
    """

    model: str
    n: int
    loss: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    per_class: dict[str, dict[str, Any]]
    skipped: dict[str, int] = field(default_factory=dict)
    confusion_matrix: str | None = None
    phases: dict[str, "EvaluateResult"] = field(default_factory=dict)
    corrected: "EvaluateResult | None" = None


def evaluate(
    project: Path,
    model: str | Path | None = None,
    *,
    data: Path | None = None,
    phase: str = "final",
    progress: Progress = SILENT,
) -> EvaluateResult:
    """Evaluate an exported model on the held-out test set, or on another folder of labelled folders.

    Parameters
    ----------
    model : an ``export.pkl``, a bundle, or a run's name; default the newest finished run.
    data : a folder with one folder of pictures for each label; default ``dataset/test``.
    phase : ``final`` (what was exported), ``head`` (the same network after phase 1), or ``both``.

    Raises
    ------
    ModelError, UsageError, ProjectError
    """
    if phase not in PHASES:
        raise UsageError(f"There is no phase {phase!r}.", f"Choose from {', '.join(PHASES)}.")
    path, run = find_export(project, model)
    place = Project(Path(project))
    folder = Path(data) if data else place.dataset / "test"
    if not data:
        refuse_another_split(place, run)
    test = HeldOut(labelled(folder)) if data else held_out(place)
    if phase != "final" and (run is None or "head" not in phases_of(run)):
        raise UsageError("This model has no head phase.", "It was trained from scratch, or its run is gone.")
    learner = load_export(path)
    pictures, skipped = _readable(test.as_split, folder, classes_of(learner), progress)
    corrected = _readable(test.corrected, folder, classes_of(learner), SILENT) if test.corrected else None
    pictures_of = run.folder if run else path.parent
    progress.note(f"Evaluating {path} on {len(pictures)} pictures of {folder}.")
    results: dict[str, EvaluateResult] = {}
    for name in ("final", "head") if phase == "both" else (phase,):
        if name == "head":
            assert run is not None
            load_phase(learner, run, "head")
        results[name] = _judge(learner, str(path), pictures, skipped, pictures_of / f"confusion-{name}.png")
        if corrected:
            plot = pictures_of / f"confusion-{name}-corrected.png"
            results[name] = replace(results[name], corrected=_judge(learner, str(path), *corrected, plot))
    if phase != "both":
        return results[phase]
    return EvaluateResult(**{**vars(results["final"]), "phases": {name: results[name] for name in ("head", "final")}})


def _readable(
    listed: Labelled, folder: Path, classes: list[str], progress: Progress
) -> tuple[Labelled, dict[str, int]]:
    """Pictures of known labels that can be decoded; and how many could not be judged, by reason."""
    pictures: Labelled = []
    skipped: dict[str, int] = {}
    for path, label in listed:
        if label not in classes:
            reason = "unknown_label"
        else:
            try:
                images.open_rgb(path)
            except ImageError as error:
                reason = str(error.reason)
            else:
                pictures.append((path, label))
                continue
        skipped[reason] = skipped.get(reason, 0) + 1
        progress.note(f"Not judged ({reason}): {path}")
    if not pictures:
        raise ProjectError(
            f"{folder} has no picture of the model's classes ({', '.join(classes)}).",
            "It should hold one folder of pictures for each label.",
        )
    return pictures, skipped


def _judge(learner: Any, model: str, pictures: Labelled, skipped: dict[str, int], plot: Path) -> EvaluateResult:
    classes = classes_of(learner)
    probability = probabilities(learner, [path for path, _ in pictures])
    truth = torch.tensor([classes.index(label) for _, label in pictures])
    loss = torch.nn.functional.nll_loss(probability.double().clamp_min(1e-12).log(), truth).item()
    predicted = probability.argmax(dim=1)
    right = int((predicted == truth).sum())
    matrix = confusion_matrix(truth.numpy(), predicted.numpy(), len(classes))
    draw_confusion(matrix, classes, plot)
    return EvaluateResult(
        model=model,
        n=len(pictures),
        loss=loss,
        accuracy=right / len(pictures),
        accuracy_interval=wilson_interval(right, len(pictures)),
        per_class={label: asdict(figures) for label, figures in zip(classes, per_class(matrix), strict=True)},
        skipped=skipped,
        confusion_matrix=str(plot),
    )
