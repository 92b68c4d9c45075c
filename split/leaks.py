"""Which pictures of a split show what a training picture shows, by a measure that had no say in the split.

Groups are made of hashes. Here every picture is compared with every training picture, by the directions of its edges
in a grid of cells (the idea of HOG, Dalal and Triggs, 2005): as it is and mirrored, and with the nearest few cropped a
little too.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    Grays = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    Indices = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

# Similarity from which on two pictures are taken for one shot. On birds8 the pairs that are reach 0.935 (but for one,
# mirrored and much cropped, at 0.83), all others at most 0.915: birds of prey before an empty sky. All of 300 copies a
# kind that were halved, recompressed at quality 40, mirrored, or cropped by 2.5 or 5 % at each side reach 0.935.
NEAR = 0.925
_CELLS, _DIRECTIONS = 8, 8  # cells a side; directions of edges told apart
_TUNING = 0.7  # cosine of the angle up to which an edge counts for a direction
_CROPS = (0.025, 0.05)  # share cut off at each side
_CLOSER_LOOK = 4  # the nearest so many of each picture are compared cropped; of 300 crops all were among the first 3
_BLOCK = 1024  # pictures described and compared at once: some 50 MB


def nearest(grays: "Grays", training: "Grays") -> "tuple[Indices, Floats]":
    """The nearest training picture of each picture.

    Parameters
    ----------
    grays, training : small grey copies, uint8 [n, side, side] and [m, side, side]; m is 1 or more.

    Returns
    -------
    Index into `training`, [n], and similarity, [n], 1 for the same picture.
    """
    import numpy as np

    index = np.zeros(len(grays), dtype=np.int64)
    similarity = np.zeros(len(grays), dtype=np.float32)
    candidates = _candidates(grays, training)
    for start in range(0, len(grays), _BLOCK // _CLOSER_LOOK):
        rows = slice(start, start + _BLOCK // _CLOSER_LOOK)
        near = _closer(grays[rows], training[candidates[rows]])
        best = near.argmax(axis=1)
        similarity[rows] = near[np.arange(len(near)), best]
        index[rows] = candidates[rows][np.arange(len(near)), best]
    return index, similarity


def _candidates(grays: "Grays", training: "Grays") -> "Indices":
    """Of each picture the `_CLOSER_LOOK` nearest in `training`, uncropped; int64 [n, k]."""
    import numpy as np

    k = min(_CLOSER_LOOK, len(training))
    found = np.zeros((len(grays), k), dtype=np.int64)
    upright, mirrored = _described_in_blocks(grays), _described_in_blocks(grays[:, :, ::-1])
    best = np.full((len(grays), k), -2, dtype=np.float32)
    for start in range(0, len(training), _BLOCK):
        theirs = _described(training[start : start + _BLOCK]).T
        for first in range(0, len(grays), _BLOCK):
            rows = slice(first, first + _BLOCK)
            near = np.maximum(upright[rows] @ theirs, mirrored[rows] @ theirs)
            near = np.concatenate([best[rows], near], axis=1)
            columns = np.argpartition(near, -k, axis=1)[:, -k:]
            best[rows] = np.take_along_axis(near, columns, axis=1)
            old = np.take_along_axis(found[rows], np.minimum(columns, k - 1), axis=1)
            found[rows] = np.where(columns < k, old, columns - k + start)
    return found


def _closer(grays: "Grays", training: "Grays") -> "Floats":
    """Similarity, [n, k], of [n, side, side] to its candidates [n, k, side, side], either of the two cropped too."""
    import numpy as np

    n, k, side, _ = training.shape
    flat = training.reshape(n * k, side, side)
    theirs, their_crops = _described(flat), [_described(_cropped(flat, cut)) for cut in _CROPS]
    near = np.full((n, k), -1, dtype=np.float32)
    for ours in (grays, grays[:, :, ::-1]):
        whole = _described(ours)
        pairs = [(whole, other) for other in (theirs, *their_crops)]
        pairs += [(_described(_cropped(ours, cut)), theirs) for cut in _CROPS]
        for one, other in pairs:
            np.maximum(near, (one[:, None] * other.reshape(n, k, whole.shape[1])).sum(axis=2), out=near)
    return near


def _described_in_blocks(grays: "Grays") -> "Floats":
    import numpy as np

    return np.concatenate([_described(grays[start : start + _BLOCK]) for start in range(0, len(grays) or 1, _BLOCK)])


def _cropped(grays: "Grays", cut: float) -> "Floats":
    """The share `cut` of each side taken off, the rest interpolated to the old size."""
    import numpy as np

    side = grays.shape[1]
    at = cut * side + (np.arange(side) + 0.5) * (1 - 2 * cut) - 0.5
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(side))).astype(np.float32)
    cropped: Floats = weights @ grays @ weights.T
    return cropped


def _described(grays: "Grays | Floats") -> "Floats":
    """How much edge of each direction lies in each cell, less the mean; length 1, [n, directions x cells x cells]."""
    import numpy as np

    n, side, _ = grays.shape
    padded = np.pad(grays.astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    dx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    dy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    threshold = np.hypot(dx, dy) * np.float32(_TUNING)
    # across and down each pixel counts for its two nearest cells
    cell_of = (np.arange(side) + 0.5) * _CELLS / side - 0.5
    weights = np.maximum(0, 1 - np.abs(cell_of[:, None] - np.arange(_CELLS))).astype(np.float32)
    cells = np.empty((n, _DIRECTIONS, _CELLS, _CELLS), dtype=np.float32)
    for direction in range(_DIRECTIONS):
        angle = 2 * np.pi * direction / _DIRECTIONS
        along = dx * np.float32(np.cos(angle)) + dy * np.float32(np.sin(angle))
        cells[:, direction] = weights.T @ np.maximum(along - threshold, 0) @ weights
    vectors = cells.reshape(n, _DIRECTIONS * _CELLS * _CELLS)
    vectors -= vectors.mean(axis=1, keepdims=True)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return vectors
