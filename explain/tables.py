"""Every table of an explanation as CSV, with a byte order mark, without which Excel takes ñ for two letters."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..tables import as_csv
from .filters import Filters
from .found import Found, Laid, file_name


def tables(found: Found) -> dict[str, bytes]:
    """Name of the file -> CSV."""
    result, labels = found.result, found.labels
    classes = [
        (label, one["n"], one["recall"], *(one["recall_interval"] or ("", "")), one["precision"], one["f1"])
        for label, one in result.per_class.items()
    ]
    layers = [
        (
            one.asked, one.layer, one.kind, " x ".join(map(str, one.shape)), one.features, one.metric, one.silhouette,
            *(one.silhouette_per_class.get(label) for label in labels),
        )
        for one in result.layers
    ]  # fmt: skip
    named = ["asked", "layer", "kind", "output", "features", "distance", "silhouette", *labels]
    contents = {
        "classes.csv": _csv("class pictures recall recall_low recall_high precision f1", classes),
        "confusion.csv": as_csv(
            ["true", *labels], [[label, *row] for label, row in zip(labels, found.matrix, strict=True)]
        ),
        "confused_pairs.csv": _csv(
            "true predicted pictures of", [(p.true, p.predicted, p.n, p.of) for p in result.most_confused]
        ),
        "layers.csv": as_csv(named, layers),
        "skipped.csv": _csv("file reason", result.skipped.items()),
    }
    if found.history:
        contents["curves.csv"] = as_csv(list(found.history[0]), [list(row.values()) for row in found.history])
    if found.filters is not None:
        contents["filters.csv"] = _csv("filter strength channel row column weight", _weights(found.filters))
    for one in result.layers:
        if laid := found.maps.get(one.asked):
            contents[f"{file_name(one)}.csv"] = _csv("file label predicted x y silhouette", _points(found, laid))
    return {name: text.encode("utf-8-sig") for name, text in contents.items()}


def _points(found: Found, laid: Laid) -> Iterable[Sequence[Any]]:
    seen, labels = found.seen, found.labels
    for file, truth, predicted, place, silhouette in zip(
        seen.files, seen.truth, seen.predicted, laid.places.tolist(), laid.silhouettes.tolist(), strict=True
    ):
        yield file, labels[truth], labels[predicted], *place, silhouette if np.isfinite(silhouette) else None


def _weights(filters: Filters) -> Iterable[Sequence[Any]]:
    for number, strength, weights in zip(filters.number, filters.strength, filters.weights, strict=True):
        for (channel, row, column), weight in np.ndenumerate(weights):
            yield number, f"{strength:.6g}", channel, row, column, f"{weight:.6g}"


def _csv(columns: str, rows: Iterable[Sequence[Any]]) -> str:
    return as_csv(columns.split(), rows)
