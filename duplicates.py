"""Which pictures show the same shot: by perceptual hash, mirrored copies included.

Two pictures are near-duplicates when their 64-bit pHashes differ in at most `MAX_DISTANCE` bits, or one's hash and
the other's mirror hash do. Measured on 732 thumbnails of 8 species: 16 such pairs within a label, 5 across, about
23 more mirrored (docs/walkthrough.md has what `birds split` made of them).
"""

from collections.abc import Iterable, Sequence

from .record import PictureFile

MAX_DISTANCE = 8  # bits of 64
_BLOCK = 1024  # rows compared at once: 1024 x 20,000 distances are 20 MB


def near_pairs(
    hashes: Sequence[int], mirror_hashes: Sequence[int], max_distance: int = MAX_DISTANCE
) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, of near-duplicates.

    Parameters
    ----------
    hashes, mirror_hashes : 64-bit pHash of each picture and of its mirror image, both of length n.
    max_distance : bits that may differ.

    Notes
    -----
    Compares all pairs in blocks: n = 10,000 takes about a second, memory grows with n only.
    """
    import numpy as np

    upright = np.array(hashes, dtype=np.uint64)
    mirrored = np.array(mirror_hashes, dtype=np.uint64)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(upright), _BLOCK):
        block = upright[start : start + _BLOCK, None]
        near = np.bitwise_count(block ^ upright[None, start:]) <= max_distance
        near |= np.bitwise_count(block ^ mirrored[None, start:]) <= max_distance
        near |= np.bitwise_count(mirrored[start : start + _BLOCK, None] ^ upright[None, start:]) <= max_distance
        rows, columns = np.nonzero(near)
        keep = rows < columns
        pairs += [(int(r) + start, int(c) + start) for r, c in zip(rows[keep], columns[keep], strict=True)]
    return pairs


def groups(n: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connected groups of 0..n-1 under `pairs`, singletons included, each sorted, ordered by first member."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in pairs:
        a, b = sorted((root(i), root(j)))
        parent[b] = a
    found: dict[int, list[int]] = {}
    for i in range(n):
        found.setdefault(root(i), []).append(i)
    return list(found.values())


def near_duplicates(stored: Sequence[PictureFile]) -> list[tuple[PictureFile, PictureFile]]:
    """Pairs of files that show the same shot, identical content included; unreadable files are in none."""
    readable = [f for f in stored if f.content.phash is not None]
    hashes = [f.content.phash or 0 for f in readable]
    mirror_hashes = [f.content.mirror_phash or 0 for f in readable]
    return [(readable[i], readable[j]) for i, j in near_pairs(hashes, mirror_hashes)]
