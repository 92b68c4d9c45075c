"""All that was found in a run, before it is written: the result, and what its tables and charts are made of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..models.verdict import History
from .filters import Filters
from .looking import Seen
from .results import ExplainResult, LayerFound


@dataclass(frozen=True)
class Laid:
    """Where the pictures lie on the map of a layer, [N, 2], and the silhouette of each, [N], NaN where undefined."""

    places: np.ndarray
    silhouettes: np.ndarray


@dataclass(frozen=True)
class Found:
    """What was found.

    Attributes
    ----------
    matrix : counts [classes, classes], true classes in rows.
    maps : how a layer was asked for -> where its pictures lie; only of those with a map.
    history : rows of history.csv.
    """

    result: ExplainResult
    matrix: np.ndarray
    seen: Seen
    maps: Mapping[str, Laid]
    filters: Filters | None
    history: History

    @property
    def labels(self) -> list[str]:
        return list(self.result.per_class)


def file_name(layer: LayerFound) -> str:
    """Of the map of a layer, without its ending."""
    return "map-" + re.sub(r"[^\w.-]", "_", layer.asked)
