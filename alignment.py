"""How alike two small grey pictures are once one is laid over the other: the second opinion on near-duplicates.

Hashes say which part of one shows about what the other shows. From there the edges of that part are moved until the
detail fits best (Gauss-Newton steps, after Baker and Matthews 2004, "Lucas-Kanade 20 years on"), and the similarity is
the correlation of the detail, whichever fifth of the picture is left out: a silhouette before the sky resembles every
other in its shades, and one agency's caption is on all its photographs.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SIDE = 20  # pixels to which parts are sampled; at 32 copies and other photographs are no better apart, at 16 worse
_STEPS = 5
_MOST_SHIFT = 0.08  # of the picture, by which an edge may move in all
_STEP_SHIFT = 0.05  # of the part, in one step
_STRIPS = 5  # a direction; none of them may make the likeness alone
_NOISE = 1.0  # grey levels of detail that say nothing
_HOPELESS, _SURE = 0.3, 0.98  # correlations from which no step changes the verdict
_ROWS = 256  # pairs at once: 2 MB of what is worked on, which stays in the processor's cache


def similarities(
    grays: "np.ndarray", boxes: "np.ndarray", others: "np.ndarray", other_boxes: "np.ndarray"
) -> "np.ndarray":
    """How alike part ``boxes[i]`` of ``grays[i]`` and part ``other_boxes[i]`` of ``others[i]`` are.

    Parameters
    ----------
    grays, others : uint8 [k, side, side].
    boxes, other_boxes : float [k, 4], the left, top, right and bottom edge as shares of the picture; a left edge beyond
        the right one means the part's mirror image. The edges in `boxes` need only be about right.

    Returns
    -------
    float64 [k], 0 to 1. Two pictures without any detail are alike.
    """
    import numpy as np

    blocks = [slice(start, start + _ROWS) for start in range(0, len(grays), _ROWS)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy lets go of the interpreter's lock
        best = pool.map(lambda at: _best_correlations(grays[at], boxes[at], others[at], other_boxes[at]), blocks)
        return np.concatenate([np.empty(0), *best]).clip(0, 1)


def _best_correlations(
    grays: "np.ndarray", boxes: "np.ndarray", others: "np.ndarray", other_boxes: "np.ndarray"
) -> "np.ndarray":
    """`similarities` before they are clipped: the best that was met on the way."""
    import numpy as np

    target = _detail(others, other_boxes)
    slopes = _slopes(target)
    curvature = slopes @ slopes.transpose(0, 2, 1)
    strength = np.trace(curvature, axis1=1, axis2=2)[:, None, None]
    curvature += np.eye(4, dtype=np.float32) * (0.0025 * strength + 0.001)  # a blank target has none
    best, best_detail = np.full(len(grays), -1, np.float32), np.zeros_like(target)
    box, going = boxes.astype(np.float32), np.arange(len(grays))
    for _ in range(_STEPS + 1):
        detail = _detail(grays[going], box)
        correlation = (detail * target[going]).sum(axis=1)
        is_better = correlation > best[going]
        best[going[is_better]], best_detail[going[is_better]] = correlation[is_better], detail[is_better]
        goes_on = (best[going] > _HOPELESS) & (best[going] < _SURE)
        going, box = going[goes_on], box[goes_on]
        error = target[going] - detail[goes_on] * correlation[goes_on, None]
        move = np.linalg.solve(curvature[going], slopes[going] @ error[:, :, None])[:, :, 0]
        move = move.clip(-_STEP_SHIFT, _STEP_SHIFT) * np.tile(box[:, 2:] - box[:, :2], 2)
        box = (box + move).clip(boxes[going] - _MOST_SHIFT, boxes[going] + _MOST_SHIFT).astype(np.float32)
    return _least_correlation(best_detail, target)


def _least_correlation(detail: "np.ndarray", target: "np.ndarray") -> "np.ndarray":
    """The least that is left of their correlation without a fifth of the picture, a strip across or down."""
    import numpy as np

    def sums(products: "np.ndarray") -> "np.ndarray":
        """Of all but each strip, [k, 2 * _STRIPS]."""
        inner = products[:, :-1].reshape(len(products), _STRIPS, SIDE // _STRIPS, _STRIPS, SIDE // _STRIPS)
        strips = np.concatenate([inner.sum(axis=(2, 3, 4)), inner.sum(axis=(1, 2, 4))], axis=1)
        rest: np.ndarray = products.sum(axis=1, keepdims=True) - strips
        return rest

    correlations = sums(detail * target) / np.sqrt(sums(detail**2) * sums(target**2))
    least: np.ndarray = correlations.min(axis=1)
    return least


def _detail(grays: "np.ndarray", boxes: "np.ndarray") -> "np.ndarray":
    """What a blur would take from each part, sampled to `SIDE` x `SIDE`, and the noise: [k, SIDE² + 1], of length 1."""
    import numpy as np

    across = _sampling(boxes[:, 0], boxes[:, 2], grays.shape[2])
    down = _sampling(boxes[:, 1], boxes[:, 3], grays.shape[1])
    part = down @ grays.astype(np.float32) @ across.transpose(0, 2, 1)
    detail = (part - _blur() @ part @ _blur().T).reshape(len(part), SIDE * SIDE)
    # as if all had one more pixel in common: what there is beside it counts only as far as it exceeds the noise
    noise = np.full((len(part), 1), _NOISE * SIDE, np.float32)
    detail = np.concatenate([detail, noise], axis=1)
    detail /= np.linalg.norm(detail, axis=1, keepdims=True)
    return detail


def _sampling(low: "np.ndarray", high: "np.ndarray", side: int) -> "np.ndarray":
    """Weights [k, SIDE, side] that interpolate between `side` pixels at `SIDE` points from `low` to `high`."""
    import numpy as np

    at = (low[:, None] + (high - low)[:, None] * _points()) * side - 0.5
    distance = abs(at.clip(0, side - 1)[:, :, None] - np.arange(side, dtype=np.float32))
    weights: np.ndarray = (1 - distance).clip(0, None).astype(np.float32)
    return weights


def _slopes(target: "np.ndarray") -> "np.ndarray":
    """How `target` changes as the left, top, right and bottom edge move, [k, 4, SIDE² + 1], its length kept."""
    import numpy as np

    image = target[:, :-1].reshape(-1, SIDE, SIDE)
    down, across = (slope * SIDE for slope in np.gradient(image, axis=(1, 2)))
    right, lower = _points(), _points()[:, None]
    slopes = np.stack([across * (1 - right), down * (1 - lower), across * right, down * lower], axis=1)
    slopes = np.pad(slopes.reshape(len(target), 4, SIDE * SIDE), ((0, 0), (0, 0), (0, 1)))
    slopes -= (slopes @ target[:, :, None]) * target[:, None]
    return slopes


@cache
def _points() -> "np.ndarray":
    """Where the samples lie between the edges, from 0 to 1."""
    import numpy as np

    return (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE


@cache
def _blur() -> "np.ndarray":
    """[SIDE, SIDE]: what blurs by 1-2-1, twice, along one side; the outermost pixel stands for what lies beyond."""
    import numpy as np

    side = np.arange(SIDE)
    once = sum(
        weight * np.eye(SIDE, dtype=np.float32)[(side + shift).clip(0, SIDE - 1)]
        for shift, weight in ((-1, 0.25), (0, 0.5), (1, 0.25))
    )
    return np.linalg.matrix_power(once, 2)
