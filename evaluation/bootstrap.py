"""Intervals of figures that are no plain proportion: the bootstrap over groups of pictures.

Pictures of one shot, or of one series, are no independent evidence; so whole groups are drawn, with replacement (the
cluster bootstrap; Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 3.8). Intervals are
percentiles. Each picture counts as often as its group was drawn, so that a draw is a column of weights.
"""

from collections.abc import Iterator

import numpy as np

from ..models.statistics import MIN_FOR_INTERVAL, balanced_accuracy, is_in_top, losses, macro_f1
from .calibration import BINS, bin_of

DRAWS = 2000
SEED = 5
TOP = 3
_CELLS = 1_000_000  # weights at once: 8 MB, and some copies


def intervals(
    truth: np.ndarray, probability: np.ndarray, groups: np.ndarray, *, draws: int = DRAWS, seed: int = SEED
) -> dict[str, tuple[float, float] | None]:
    """95% intervals of ``loss``, ``balanced_accuracy``, ``top_3_accuracy``, ``macro_f1`` and ``ece``.

    Parameters
    ----------
    truth : class of each picture, int [N].
    probability : float [N, classes].
    groups : number of each picture's group, int [N], from 0 on without gaps.

    Returns
    -------
    None for every figure where there are fewer than 20 groups.
    """
    names = ("loss", "balanced_accuracy", "top_3_accuracy", "macro_f1", "ece")
    if len(groups) == 0 or groups.max() + 1 < MIN_FOR_INTERVAL:
        return dict.fromkeys(names)
    drawn = [np.stack(_figures(truth, probability, weights)) for weights in _weights(groups, draws, seed)]
    low, high = np.nanpercentile(np.concatenate(drawn, axis=1), (2.5, 97.5), axis=1)
    return {name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)}


def difference_interval(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray, *, draws: int = DRAWS, seed: int = SEED
) -> tuple[float, float] | None:
    """95% interval of how much the mean of `first` is above that of `second`, both [N] on the same pictures."""
    if len(groups) == 0 or groups.max() + 1 < MIN_FOR_INTERVAL:
        return None
    difference = first.astype(np.float64) - second
    means = np.concatenate([difference @ weights / weights.sum(axis=0) for weights in _weights(groups, draws, seed)])
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _weights(groups: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each picture was drawn, [N, k] for some k draws at once, `draws` in all."""
    chance = np.random.default_rng(seed)
    n = int(groups.max()) + 1
    at_once = max(1, _CELLS // len(groups))
    for start in range(0, draws, at_once):
        k = min(at_once, draws - start)
        picked = chance.integers(n, size=(k, n)) + np.arange(k)[:, None] * n
        yield np.bincount(picked.ravel(), minlength=k * n).reshape(k, n).T[groups].astype(np.float64)


def _figures(truth: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """The figures of each draw, [k], from weights [N, k]."""
    classes = probability.shape[1]
    predicted, total = probability.argmax(axis=1), weights.sum(axis=0)
    is_right = predicted == truth
    confidence = probability.max(axis=1)
    n, named = _summed(truth, weights, classes), _summed(predicted, weights, classes)
    right = _summed(truth, weights * is_right[:, None], classes)
    gap = (confidence.astype(np.float64) - is_right)[:, None]
    return (
        losses(probability, truth) @ weights / total,
        balanced_accuracy(right, n),
        is_in_top(probability, truth, TOP) @ weights / total,
        macro_f1(right, n, named),
        np.abs(_summed(bin_of(confidence), weights * gap, BINS)).sum(axis=0) / total,
    )


def _summed(place: np.ndarray, values: np.ndarray, places: int) -> np.ndarray:
    """`values` [N, k] that go to the same place, added: [places, k]."""
    order = np.argsort(place, kind="stable")
    present, starts = np.unique(place[order], return_index=True)
    found = np.zeros((places, values.shape[1]))
    found[present] = np.add.reduceat(values[order], starts, axis=0)
    return found
