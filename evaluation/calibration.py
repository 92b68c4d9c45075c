"""Whether the model is as often right as it is sure: reliability, expected calibration error, when to say 'unsure'.

Guo et al. (2017), "On Calibration of Modern Neural Networks": 15 bins of equal width, (low, high], by the confidence of
the most probable class.
"""

import numpy as np

from ..models.statistics import interval_of
from .results import Coverage, ReliabilityBin

BINS = 15
_CHANCE_DRAWS = 200


def bin_of(confidence: np.ndarray) -> np.ndarray:
    """Index of the bin of each confidence, int64 [N]."""
    found: np.ndarray = (np.ceil(confidence * BINS) - 1).clip(0, BINS - 1).astype(np.int64)
    return found


def reliability(confidence: np.ndarray, is_right: np.ndarray) -> list[ReliabilityBin]:
    """The bins of a reliability diagram, empty ones included."""
    index = bin_of(confidence)
    bins = []
    for number in range(BINS):
        here = index == number
        n, right = int(here.sum()), int(is_right[here].sum())
        bins.append(
            ReliabilityBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                n=n,
                confidence=float(confidence[here].mean()) if n else None,
                accuracy=right / n if n else None,
                interval=interval_of(right, n),
            )
        )
    return bins


def expected_calibration_error(confidence: np.ndarray, is_right: np.ndarray) -> float:
    """Mean distance of confidence and accuracy over the bins, each weighted by its pictures."""
    distance = np.bincount(bin_of(confidence), weights=confidence.astype(np.float64) - is_right, minlength=BINS)
    return float(np.abs(distance).sum() / len(confidence))


def error_by_chance(confidence: np.ndarray, seed: int = 0) -> float:
    """The mean expected calibration error of a model that is right exactly as often as it is sure.

    On few pictures it is not 0: what is measured has to be seen beside it.
    """
    chance = np.random.default_rng(seed)
    draws = [
        expected_calibration_error(confidence, chance.random(len(confidence)) < confidence)
        for _ in range(_CHANCE_DRAWS)
    ]
    return float(np.mean(draws))


def before_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """What the probabilities [N, classes] were before the logits were divided by `temperature`.

    Their logarithms are the logits up to a constant, which softmax takes no notice of. What was too small for a
    float32 stays small.
    """
    logits = np.log(probability.astype(np.float64).clip(np.finfo(np.float32).tiny)) * temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return found


def coverage(confidence: np.ndarray, is_right: np.ndarray, threshold: float) -> Coverage:
    """How accuracy rises with the confidence that an answer needs, and where the model's own threshold stands."""
    order = np.argsort(-confidence, kind="stable")
    sure, right = confidence[order], np.cumsum(is_right[order])
    ends = np.flatnonzero(np.append(sure[:-1] != sure[1:], True))  # of equal confidences all are answered or none
    n = len(confidence)
    curve = [(float(sure[i]), (i + 1) / n, float(right[i]) / (i + 1)) for i in ends[::-1]]
    answered = confidence >= threshold
    hits, asked = int(is_right[answered].sum()), int(answered.sum())
    return Coverage(threshold, asked, n, hits / asked if asked else None, interval_of(hits, asked), curve)
