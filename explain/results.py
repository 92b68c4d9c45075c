"""What an explanation finds, as values: `stage.explain` returns them, ``--json`` prints them, the page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..models.statistics import ConfusedPair
from ..models.verdict import Verdict

EUCLIDEAN = "euclidean"  # the distance that silhouettes are of


@dataclass(frozen=True)
class LayerFound:
    """How the pictures lie in one layer.

    Attributes
    ----------
    asked : how it was asked for: ``last``, ``middle`` or its name.
    layer, kind, shape : name and class of the module, and the shape of its output for one picture.
    features : numbers that remain of that after the mean over places.
    silhouette : mean over the pictures, from -1 to 1; None where it is not defined.
    metric : of the distances it is made of.
    silhouette_per_class : the same of the pictures of each class that has some.
    is_mapped : whether there is a map; there is none of fewer than eight pictures, or where all give the same.
    """

    asked: str
    layer: str
    kind: str
    shape: list[int]
    features: int
    silhouette: float | None
    metric: str
    silhouette_per_class: dict[str, float]
    is_mapped: bool


@dataclass(frozen=True)
class FiltersFound:
    """The first layer's filters.

    Attributes
    ----------
    layer : name of the module.
    n, shown : how many it has, and how many of them, the strongest, are in the picture.
    shape : of one: channels, height, width.
    silent : how many have less than a hundredth of the strongest one's strength.
    """

    layer: str
    n: int
    shown: int
    shape: list[int]
    silent: int


@dataclass(frozen=True)
class ExplainResult:
    """A run looked into, on ``n`` pictures of one part of the dataset, drawn from ``of``.

    Attributes
    ----------
    part : ``val``, ``test`` or ``train``.
    accuracy_interval : Wilson's at 95%; None below 20 pictures.
    per_class : label -> n, precision, recall, recall_interval, f1.
    most_confused : the most frequent first.
    layers : one for each that was asked for.
    verdict : on the run's history.
    filters : None where the network does not begin with a convolution on colours.
    skipped : each file that could not be looked at, with the reason.
    files : name -> path of all that was written.
    page : the page of it all.
    """

    run: str
    part: str
    n: int
    of: int
    seed: int
    accuracy: float
    accuracy_interval: tuple[float, float] | None
    per_class: Mapping[str, Mapping[str, Any]]
    most_confused: list[ConfusedPair]
    layers: list[LayerFound]
    verdict: Verdict
    filters: FiltersFound | None
    skipped: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    page: str = ""
