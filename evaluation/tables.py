"""Every table of an evaluation as CSV, with a byte order mark, without which Excel takes ñ for two letters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..tables import as_csv
from .results import EvaluateResult, ReliabilityBin, TopLoss

_NO_BOUNDS = ("", "")


def tables(result: EvaluateResult, matrix: np.ndarray, predictions: Sequence[TopLoss]) -> dict[str, bytes]:
    """Name of the file -> CSV.

    Parameters
    ----------
    matrix : counts, true classes in rows.
    predictions : every picture, the worst first.
    """
    labels = list(result.per_class)
    figures = [
        (name, one.value, *(one.interval or _NO_BOUNDS), one.method, one.n, one.reviewed_share)
        for name, one in result.figures.items()
    ]
    classes = [
        (
            label, one["n"], one["precision"], one["recall"], *(one["recall_interval"] or _NO_BOUNDS), one["f1"],
            one["reviewed_share"],
        )
        for label, one in result.per_class.items()
    ]  # fmt: skip
    pairs = [(pair.true, pair.predicted, pair.n, pair.of) for pair in result.most_confused]
    bins = [
        (when, bin_.low, bin_.high, bin_.n, bin_.confidence, bin_.accuracy, *(bin_.interval or _NO_BOUNDS))
        for when, bins in (("before", result.calibration.before), ("after", result.calibration.after))
        for bin_ in bins
    ]
    contents = {
        "figures.csv": _csv("figure value low high interval_by pictures reviewed_share", figures),
        "classes.csv": _csv(
            "class pictures precision recall recall_low recall_high f1 reviewed_share", classes
        ),
        "confusion.csv": as_csv(["true", *labels], [[label, *row] for label, row in zip(labels, matrix, strict=True)]),
        "confused_pairs.csv": _csv("true predicted pictures of", pairs),
        "reliability.csv": _csv("temperature low high pictures confidence accuracy accuracy_low accuracy_high", bins),
        "coverage.csv": _csv("threshold coverage accuracy", result.coverage.curve),
        "predictions.csv": _records(predictions, TopLoss.__dataclass_fields__),
        "skipped.csv": _csv("file reason", result.skipped_files.items()),
    }  # fmt: skip
    return {name: text.encode("utf-8-sig") for name, text in contents.items()}


def points_table(files: Iterable[str], labels: Iterable[str], points: np.ndarray) -> bytes:
    """Where each picture lies on the map of features."""
    rows = ((file, label, *point) for file, label, point in zip(files, labels, points.tolist(), strict=True))
    return _csv("file label x y", rows).encode("utf-8-sig")


def bins_of(bins: Sequence[ReliabilityBin]) -> list[ReliabilityBin]:
    """Those that hold a picture."""
    return [one for one in bins if one.n]


def _csv(columns: str, rows: Iterable[Sequence[Any]]) -> str:
    return as_csv(columns.split(), rows)


def _records(values: Sequence[Any], columns: Mapping[str, Any]) -> str:
    return as_csv(list(columns), [list(asdict(one).values()) for one in values])
