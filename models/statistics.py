"""Figures of a test: accuracy with its interval, precision, recall, confusion; and what they are made of.

Every figure takes pictures one by one or with a weight each, so that `evaluation/bootstrap.py` can draw some of them
several times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

MIN_FOR_INTERVAL = 20  # pictures; of fewer an interval says little more than 'too few'
LEAST_PROBABILITY = 1e-12  # that a loss is taken of: a network that is sure of the wrong class loses 27.6 nats


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a proportion (Wilson 1927), without continuity correction; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def interval_of(successes: int, n: int) -> tuple[float, float] | None:
    """Wilson's interval at 95%; None where `n` is too small for one, see `MIN_FOR_INTERVAL`."""
    return wilson_interval(successes, n) if n >= MIN_FOR_INTERVAL else None


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts [classes, classes]: rows are the true class, columns the predicted one."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


@dataclass(frozen=True)
class ClassFigures:
    """One class of a test. A figure is None where it is not defined: nothing predicted, or no picture of the class.

    ``recall_interval`` is Wilson's at 95%; None below 20 pictures.
    """

    n: int
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    f1: float | None


def per_class(matrix: np.ndarray) -> list[ClassFigures]:
    """Figures of each class, from a confusion matrix."""
    figures = []
    for index in range(len(matrix)):
        right, n, predicted = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
        precision = right / predicted if predicted else None
        recall = right / n if n else None
        f1 = 2 * right / (n + predicted) if n + predicted else None
        figures.append(ClassFigures(n, precision, recall, interval_of(right, n), f1))
    return figures


@dataclass(frozen=True)
class ConfusedPair:
    """Pictures of class ``true`` that were taken for ``predicted``; ``of`` there were of that class."""

    true: str
    predicted: str
    n: int
    of: int

    @property
    def in_words(self) -> str:
        return f"{self.n} of {self.of} {self.true} {'was' if self.n == 1 else 'were'} taken for {self.predicted}"


def most_confused(matrix: np.ndarray, labels: Sequence[str], most: int) -> list[ConfusedPair]:
    """The cells beside the diagonal of a confusion matrix that hold most pictures, the most first."""
    cells = [(int(matrix[i, j]), i, j) for i, j in np.argwhere(matrix > 0) if i != j]
    cells.sort(key=lambda cell: (-cell[0], -cell[0] / matrix[cell[1]].sum(), cell[1], cell[2]))
    return [ConfusedPair(labels[i], labels[j], n, int(matrix[i].sum())) for n, i, j in cells[:most]]


def losses(probability: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Cross-entropy of each picture in nats, [N], from probabilities [N, classes]."""
    right: np.ndarray = -np.log(probability[np.arange(len(truth)), truth].astype(np.float64).clip(LEAST_PROBABILITY, 1))
    return right


def is_in_top(probability: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """Whether the true class is among the `k` most probable, bool [N]; of equals the lower index comes first."""
    best = np.argsort(-probability, axis=1, kind="stable")[:, :k]
    found: np.ndarray = (best == truth[:, None]).any(axis=1)
    return found


def mean_of_defined(values: np.ndarray, is_defined: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is defined; NaN where nothing is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = np.where(is_defined, values, 0).sum(axis=0) / is_defined.sum(axis=0)
    return mean


def balanced_accuracy(right: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that have pictures.

    Parameters
    ----------
    right, n : pictures judged rightly and pictures of each class, [classes] or [classes, draws].
    """
    return mean_of_defined(right / np.maximum(n, 1e-9), n > 0)


def macro_f1(right: np.ndarray, n: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that have pictures; all counts [classes] or [classes, draws]."""
    return mean_of_defined(2 * right / np.maximum(n + predicted, 1e-9), n > 0)
