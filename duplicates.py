"""Which pictures show the same shot: copies that were resized, recompressed, cropped, mirrored, captioned or marked.

Candidates are pairs in which the hash of one picture is near to a hash of the other, or of a part of it, found by a
banded index (`hamming.py`). A second measure (`alignment.py`) confirms them, or tells them from other photographs of
the same species. ``benchmarks/duplicates.py`` has the figures.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .alignment import similarities
from .fingerprints import COVERED, HASHES, PARTS
from .hamming import BITS, SAME, hamming_pairs
from .record import PictureFile, Record

if TYPE_CHECKING:
    import numpy as np

MAX_DISTANCE = 8  # bits of 64
MIN_SIMILARITY = 0.84  # of 4,500 copies of photographs 1 lay below, of 832 candidates that were none all did
CAP = 30  # pictures a group, see `groups`
_SURE = 0.95  # no other way to lay one over the other is tried
_ROWS = 4096  # candidates whose grey copies are fetched at once: 8 MB


@dataclass(frozen=True)
class Pair:
    """Two pictures of the same shot, by their indices.

    Attributes
    ----------
    first, second : ``first < second``.
    distance : bits in which the nearest of their hashes differ.
    similarity : of the second measure, 0 to 1.
    """

    first: int
    second: int
    distance: int
    similarity: float

    @property
    def is_identical(self) -> bool:
        return self.distance == 0 and self.similarity == 1


@dataclass(frozen=True)
class FilePair:
    """Two files that show the same shot; the figures are those of `Pair`."""

    first: PictureFile
    second: PictureFile
    distance: int
    similarity: float


def near_pairs(
    hashes: "np.ndarray",
    grays: Callable[["np.ndarray"], "np.ndarray"],
    max_distance: int = MAX_DISTANCE,
    min_similarity: float = MIN_SIMILARITY,
) -> list[Pair]:
    """Pairs of pictures that show the same shot, the strongest first.

    Parameters
    ----------
    hashes : uint64 [n, HASHES], of `fingerprints.hashes_of`.
    grays : gives the grey copies of the pictures with these indices (ascending, each once), uint8 [k, side, side].
    max_distance : bits in which two hashes of a candidate may differ.
    min_similarity : of the second measure, from which a candidate is a pair.

    Notes
    -----
    Of more than `hamming.SAME` pictures with the same hash (blank ones, say) not all pairs are listed: see
    `hamming.hamming_pairs`. They are in one group all the same.
    """
    import numpy as np

    n = len(hashes)
    keys, distances, best = np.empty(0, np.int64), np.empty(0, np.uint8), np.empty(0)
    for first, second, distance, box, other_box in _candidates(hashes, max_distance):
        key = np.minimum(first, second) * n + np.maximum(first, second)
        settled = keys[best >= _SURE]
        open_ = np.flatnonzero(~np.isin(key, settled) & (first != second))
        similarity = _similarities(first[open_], second[open_], box, other_box, grays)
        keys, place = np.unique(np.concatenate([keys, key[open_]]), return_inverse=True)
        distances = _reduced(np.minimum, place, np.concatenate([distances, distance[open_]]), BITS)
        best = _reduced(np.maximum, place, np.concatenate([best, similarity]), -1)
    kept = np.flatnonzero(best >= min_similarity)
    pairs = zip(*np.divmod(keys[kept], max(n, 1)), distances[kept], best[kept].round(4), strict=True)
    return sorted((Pair(int(i), int(j), int(bits), float(alike)) for i, j, bits, alike in pairs), key=_strength)


def _candidates(
    hashes: "np.ndarray", max_distance: int
) -> "Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...], tuple[float, ...]]]":
    """Indices and distances of pairs, with the parts of the two that should show the same."""
    import numpy as np

    columns = np.ascontiguousarray(hashes.T)
    ways = [(column, 0) for column in range(HASHES)]
    ways += [(2 * part + mirrored, 2 * part) for part in COVERED for mirrored in (0, 1)]
    for column, other in ways:
        box, other_box = PARTS[column // 2], PARTS[other // 2]
        if column == other:
            found = hamming_pairs(columns[column], max_distance=max_distance)
            yield found.second, found.first, found.distance, box, box  # whichever of the two was cropped
        else:
            found = hamming_pairs(columns[column], columns[other], max_distance)
        if column % 2:
            left, top, right, bottom = box
            box = right, top, left, bottom
        yield found.first, found.second, found.distance, box, other_box


def _similarities(
    first: "np.ndarray",
    second: "np.ndarray",
    box: tuple[float, ...],
    other_box: tuple[float, ...],
    grays: Callable[["np.ndarray"], "np.ndarray"],
) -> "np.ndarray":
    import numpy as np

    result = np.empty(len(first))
    for start in range(0, len(first), _ROWS):
        block = slice(start, start + _ROWS)
        wanted, place = np.unique(np.concatenate([first[block], second[block]]), return_inverse=True)
        pictures = grays(wanted)
        one, other = np.split(place, 2)
        boxes, other_boxes = (np.tile(np.array(edges), (len(one), 1)) for edges in (box, other_box))
        result[block] = similarities(pictures[one], boxes, pictures[other], other_boxes)
    return result


def _reduced(ufunc: "np.ufunc", place: "np.ndarray", values: "np.ndarray", initial: int) -> "np.ndarray":
    """`values` that go to the same place, made one by `ufunc`."""
    import numpy as np

    result = np.full(int(place.max(initial=-1)) + 1, initial, values.dtype)
    ufunc.at(result, place, values)
    return result


def _strength(pair: Pair) -> tuple[float, int, int, int]:
    return -pair.similarity, pair.distance, pair.first, pair.second


def groups(n: int, pairs: Iterable[Pair], *, cap: int | None = CAP) -> list[list[int]]:
    """Groups of 0..n-1 that `pairs` connect, single ones included, each sorted, ordered by first member.

    Parameters
    ----------
    cap : the most pictures in a group. The strongest pairs connect first, and one that would make a larger group is
        passed over (`between` lists those), so that a chain of weak ones doesn't merge a class. Identical pictures
        stay together however many they are. None: no limit.
    """
    parent, size = list(range(n)), [1] * n

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for pair in sorted(pairs, key=lambda pair: (not pair.is_identical, *_strength(pair))):
        a, b = sorted((root(pair.first), root(pair.second)))
        if a != b and (cap is None or pair.is_identical or size[a] + size[b] <= cap):
            parent[b] = a
            size[a] += size[b]
    found: dict[int, list[int]] = defaultdict(list)
    for i in range(n):
        found[root(i)].append(i)
    return list(found.values())


def between(grouped: Sequence[Sequence[int]], pairs: Iterable[Pair]) -> list[Pair]:
    """The `pairs` whose pictures `grouped` has in different groups."""
    group_of = {i: number for number, group in enumerate(grouped) for i in group}
    return [pair for pair in pairs if group_of[pair.first] != group_of[pair.second]]


def best_copy(copies: Sequence[PictureFile]) -> PictureFile:
    """Which of several copies to keep: the one of most pixels, of these the least compressed, then the first known."""

    def quality(file: PictureFile) -> tuple[int, float, int]:
        pixels = (file.content.width or 0) * (file.content.height or 0)
        return pixels, file.content.bytes / max(pixels, 1), -file.id

    return max(copies, key=quality)


def near_duplicates(record: Record, stored: Sequence[PictureFile]) -> list[FilePair]:
    """Pairs of `stored` files that show the same shot, the strongest first.

    Files of one picture, whose content was the same, are pairs too. In none are unreadable files, and pictures that a
    person called different.
    """
    import numpy as np

    known, hashes = record.looks.hashes()
    row_of = {int(picture): row for row, picture in enumerate(known)}
    files_of: dict[int, list[PictureFile]] = defaultdict(list)
    for file in stored:
        if file.picture in row_of:
            files_of[file.picture].append(file)
    if not files_of:
        return []
    pictures = sorted(files_of)
    rows = np.array([row_of[picture] for picture in pictures], np.int64)
    different = record.review.different_pairs()
    pairs = [
        FilePair(one, other, 0, 1.0)
        for same in files_of.values()
        for i, other in enumerate(same)
        for one in same[: min(i, SAME if i < SAME else 1)]
    ]
    for pair in near_pairs(hashes[rows], lambda wanted: record.looks.grays([pictures[i] for i in wanted])):
        a, b = pictures[pair.first], pictures[pair.second]
        if (a, b) not in different:
            ones, others = files_of[a][:SAME], files_of[b][:SAME]
            pairs += [FilePair(one, other, pair.distance, pair.similarity) for one in ones for other in others]
    return pairs


def bundles(files: Sequence[PictureFile], pairs: Iterable[FilePair]) -> list[list[PictureFile]]:
    """`files` in groups that show the same shot, see `groups`; single ones included."""
    index = {file.id: i for i, file in enumerate(files)}
    links = []
    for pair in pairs:
        first, second = sorted((index[pair.first.id], index[pair.second.id]))
        links.append(Pair(first, second, pair.distance, pair.similarity))
    return [[files[i] for i in group] for group in groups(len(files), links)]
