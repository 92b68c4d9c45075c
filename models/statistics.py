"""Figures of a test: accuracy with its interval, precision, recall, confusion."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a proportion (Wilson 1927), without continuity correction; (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts [classes, classes]: rows are the true class, columns the predicted one."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


@dataclass(frozen=True)
class ClassFigures:
    """One class of a test. A figure is None where it is not defined: nothing predicted, or no picture of the class."""

    n: int
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float]
    f1: float | None


def per_class(matrix: np.ndarray) -> list[ClassFigures]:
    """Figures of each class, from a confusion matrix."""
    figures = []
    for index in range(len(matrix)):
        right, n, predicted = int(matrix[index, index]), int(matrix[index].sum()), int(matrix[:, index].sum())
        precision = right / predicted if predicted else None
        recall = right / n if n else None
        f1 = 2 * right / (n + predicted) if n + predicted else None
        figures.append(ClassFigures(n, precision, recall, wilson_interval(right, n), f1))
    return figures
