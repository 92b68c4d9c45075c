"""Judged pictures -> every figure of a test, each with its interval, ``n`` and the share that a person looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..models.statistics import (
    balanced_accuracy,
    confusion_matrix,
    interval_of,
    is_in_top,
    macro_f1,
    most_confused,
    per_class,
)
from . import bootstrap, calibration
from .judging import Judged
from .origins import Origin
from .results import (
    BOOTSTRAP,
    TOO_FEW,
    WILSON,
    Calibration,
    EvaluateResult,
    Figure,
    Overlap,
    TopLoss,
)

MOST_SHOWN = 12  # mistakes
_PAIRS = 15


def measured(
    judged: Judged,
    labels: Sequence[str],
    *,
    groups: np.ndarray,
    origins: Sequence[Origin | None],
    temperature: float,
    threshold: float,
    skipped: Mapping[str, str],
    overlap: Overlap,
    **about: Any,
) -> EvaluateResult:
    """All figures of one model on one set of pictures.

    Parameters
    ----------
    groups : number of each picture's group, see `bootstrap.intervals`.
    origins : of each picture.
    temperature : folded into the model, to look at what it changed.
    threshold : below this confidence the model says 'unsure'.
    skipped : each file that could not be judged, with its reason.
    about : ``model``, ``phase``, ``engine``, ``data`` and ``warnings`` of the result.
    """
    n = len(judged)
    matrix = confusion_matrix(judged.truth, judged.predicted, len(labels))
    intervals = bootstrap.intervals(judged.truth, judged.probability, groups)
    is_known = any(origin is not None for origin in origins)
    is_reviewed = np.array([origin is not None and origin.is_reviewed for origin in origins])
    share = float(is_reviewed.mean()) if is_known else None
    sure = _calibration(judged, temperature, intervals["ece"])
    right, of_class, named = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    top = bootstrap.TOP
    values = {
        "loss": float(judged.losses.mean()),
        "balanced_accuracy": float(balanced_accuracy(right, of_class)),
        f"top_{top}_accuracy": float(is_in_top(judged.probability, judged.truth, top).mean())
        if len(labels) > top
        else None,
        "macro_f1": float(macro_f1(right, of_class, named)),
        "ece": sure.ece_after,
    }
    hits = int(judged.is_right.sum())
    accuracy = interval_of(hits, n)
    figures = {"accuracy": Figure(hits / n, accuracy, WILSON if accuracy else TOO_FEW, n, share)}
    for name, value in values.items():
        interval = intervals[name] if value is not None else None
        figures[name] = Figure(value, interval, BOOTSTRAP if interval else TOO_FEW, n, share)
    classes = {
        label: {**asdict(one), "reviewed_share": _mean(is_reviewed[judged.truth == index]) if is_known else None}
        for index, (label, one) in enumerate(zip(labels, per_class(matrix), strict=True))
    }
    return EvaluateResult(
        n=n,
        loss=values["loss"] or 0.0,
        accuracy=hits / n,
        accuracy_interval=accuracy,
        per_class=classes,
        figures=figures,
        reviewed_share=share,
        groups=int(groups.max()) + 1,
        skipped=_tally(skipped),
        skipped_files=dict(skipped),
        empty_classes=[label for label, count in zip(labels, of_class, strict=True) if not count],
        most_confused=most_confused(matrix, labels, _PAIRS),
        calibration=sure,
        coverage=calibration.coverage(judged.confidence, judged.is_right, threshold),
        top_losses=[one for one in top_losses(judged, labels, origins) if one.label != one.predicted][:MOST_SHOWN],
        overlap=overlap,
        **about,
    )


def _calibration(judged: Judged, temperature: float, interval: tuple[float, float] | None) -> Calibration:
    before = calibration.before_temperature(judged.probability, temperature)
    sure_before, right_before = before.max(axis=1), before.argmax(axis=1) == judged.truth
    rows = np.arange(len(judged))
    return Calibration(
        temperature=temperature,
        ece_before=calibration.expected_calibration_error(sure_before, right_before),
        ece_after=calibration.expected_calibration_error(judged.confidence, judged.is_right),
        ece_after_interval=interval,
        ece_by_chance=calibration.error_by_chance(judged.confidence),
        loss_before=float(-np.log(before[rows, judged.truth].clip(1e-12)).mean()),
        loss_after=float(judged.losses.mean()),
        before=calibration.reliability(sure_before, right_before),
        after=calibration.reliability(judged.confidence, judged.is_right),
    )


def top_losses(judged: Judged, labels: Sequence[str], origins: Sequence[Origin | None]) -> list[TopLoss]:
    """Every picture with what the model says of it, the worst first."""
    loss, predicted, confidence = judged.losses, judged.predicted, judged.confidence
    found = []
    for i in np.argsort(-loss, kind="stable"):
        origin = origins[i]
        found.append(
            TopLoss(
                file=str(judged.files[i]),
                label=labels[judged.truth[i]],
                predicted=labels[predicted[i]],
                confidence=float(confidence[i]),
                loss=float(loss[i]),
                url=origin.url if origin else None,
            )
        )
    return found


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None


def _tally(skipped: Mapping[str, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for reason in skipped.values():
        counts[reason] = counts.get(reason, 0) + 1
    return counts
