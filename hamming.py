"""Which 64-bit hashes differ in few bits: a banded index, exact, without comparing all with all.

Multi-index hashing after Norouzi, Punjani and Fleet (2012), "Fast search in Hamming space with multi-index hashing":
the 64 bits are cut into bands, and of two hashes that differ in few bits some band differs in very few. Each band is
looked up in a table of buckets, once for every way to flip so few of its bits.
"""

import itertools
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import numpy as np

BITS = 64
SAME = 16  # of those with one and the same hash so many are searched for, see `hamming_pairs`
_ROWS = 1 << 16  # hashes looked up at once: what that takes stays in the processor's cache
_MOST = 1 << 20  # hashes compared at once: 40 MB, however many fall into one bucket
_COMPARING = 8  # what comparing two hashes costs in look-ups; measured: 4 to 10


@dataclass(frozen=True)
class Matches:
    """Pairs of hashes as three arrays of one length: two indices, and the bits in which the two differ."""

    first: "np.ndarray"
    second: "np.ndarray"
    distance: "np.ndarray"


def hamming_pairs(
    hashes: "np.ndarray", others: "np.ndarray | None" = None, max_distance: int = 8, *, bands: int | None = None
) -> Matches:
    """Every pair of hashes that differ in at most `max_distance` bits.

    Parameters
    ----------
    hashes : uint64 [n].
    others : uint64 [m]; ``first`` then counts `hashes` and ``second`` counts `others`. Without it pairs are among
        `hashes`, each once, ``first < second``.
    max_distance : bits, 0 to 63.
    bands : how many, 3 or more; what should be fastest by default.

    Notes
    -----
    Where more than `SAME` have the very same hash, as blank pictures do, all their pairs would be n² and say no more
    than n: then the first `SAME` stand for all, and each further one is paired with the first alone (with none where
    there are `others`).
    """
    import numpy as np

    values, holders = _distinct(hashes)
    other_values, other_holders = (values, holders) if others is None else _distinct(others)
    i, j = _near(values, other_values, max_distance, bands, is_self=others is None)
    ways = np.minimum(other_holders.count[j], SAME)
    pair, way = _expand(np.minimum(holders.count[i], SAME) * ways)
    rank, other_rank = np.divmod(way, ways[pair])
    first = holders.order[holders.start[i][pair] + rank]
    second = other_holders.order[other_holders.start[j][pair] + other_rank]
    if others is None:
        same_first, same_second = _same(holders)
        first, second = np.concatenate([first, same_first]), np.concatenate([second, same_second])
        first, second = np.minimum(first, second), np.maximum(first, second)
    return Matches(first, second, np.bitwise_count(hashes[first] ^ (hashes if others is None else others)[second]))


@dataclass(frozen=True)
class _Holders:
    """Where each distinct hash stands: at ``order[start[i]:start[i] + count[i]]``, ascending."""

    order: "np.ndarray"
    start: "np.ndarray"
    count: "np.ndarray"


def _distinct(hashes: "np.ndarray") -> "tuple[np.ndarray, _Holders]":
    import numpy as np

    order = np.argsort(hashes, kind="stable")
    values, start, count = np.unique(hashes[order], return_index=True, return_counts=True)
    return values, _Holders(order, start, count)


def _same(holders: _Holders) -> "tuple[np.ndarray, np.ndarray]":
    """Pairs with the same hash: the first `SAME` with all before them, further ones with the first."""
    import numpy as np

    value, rank = _expand(holders.count)
    holder, earlier = _expand(np.where(rank < SAME, rank, 1))
    return holders.order[holders.start[value[holder]] + earlier], holders.order[holder]


def _expand(counts: "np.ndarray") -> "tuple[np.ndarray, np.ndarray]":
    """For counts [2, 0, 3]: whose each is, [0, 0, 2, 2, 2], and which of them, [0, 1, 0, 1, 2]."""
    import numpy as np

    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


@dataclass(frozen=True)
class _Band:
    """The bits from ``shift`` on, ``width`` of them, of which ``radius`` may differ."""

    shift: int
    width: int
    radius: int

    def keys(self, hashes: "np.ndarray") -> "np.ndarray":
        import numpy as np

        keys: np.ndarray = (hashes >> np.uint64(self.shift)).astype(np.uint32) & np.uint32((1 << self.width) - 1)
        return keys

    def flips(self) -> Iterator[int]:
        """Every mask of at most `radius` bits, 0 first."""
        for count in range(self.radius + 1):
            for bits in itertools.combinations(range(self.width), count):
                yield sum(1 << bit for bit in bits)

    def cost(self, n: int, m: int) -> float:
        """About how many look-ups it takes to search for n hashes among m."""
        flips = sum(math.comb(self.width, count) for count in range(self.radius + 1))
        return flips * n * (1 + _COMPARING * m / (1 << self.width)) + (1 << self.width)


def _bands(count: int, max_distance: int) -> list[_Band]:
    """All bits in `count` bands. Radii that add up to max_distance + 1 - count leave no pair out: pigeonholes."""
    radius, larger = divmod(max_distance + 1 - count, count)
    edges = [BITS * i // count for i in range(count + 1)]
    bands = [_Band(a, b - a, radius + (i < larger)) for i, (a, b) in enumerate(itertools.pairwise(edges))]
    return [band for band in bands if band.radius >= 0]


def _near(
    values: "np.ndarray", others: "np.ndarray", max_distance: int, bands: int | None, *, is_self: bool
) -> "tuple[np.ndarray, np.ndarray]":
    """`hamming_pairs` of hashes that are all different; `is_self`: `others` are `values`."""
    import numpy as np

    n, m = len(values), len(others)
    counts = [bands] if bands else range(3, max(4, max_distance + 2))
    chosen = min((_bands(count, max_distance) for count in counts), key=lambda some: sum(b.cost(n, m) for b in some))
    found = [np.empty(0, np.int64)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy lets go of the interpreter's lock
        for band in chosen:
            buckets = _Buckets.of(others, band)
            order = buckets.order if is_self else np.argsort(band.keys(values), kind="stable")

            def search(start: int, buckets: _Buckets = buckets, order: "np.ndarray" = order) -> "np.ndarray":
                block = order[start : start + _ROWS]
                i, j = buckets.near(values[block], max_distance, start if is_self else None)
                first, second = block[i], buckets.order[j]
                if is_self:
                    first, second = np.minimum(first, second), np.maximum(first, second)
                both: np.ndarray = first * m + second
                return both

            found += pool.map(search, range(0, n, _ROWS))
    first, second = np.divmod(np.unique(np.concatenate(found)), max(m, 1))  # a pair may be near in several bands
    return first, second


@dataclass(frozen=True)
class _Buckets:
    """Hashes sorted by their keys in a band: those of key k are ``hashes[table[k]:table[k + 1]]``."""

    band: _Band
    order: "np.ndarray"  # where each stood before
    hashes: "np.ndarray"
    table: "np.ndarray"
    is_filled: "np.ndarray"  # whether a key has any; a byte each, which the processor's cache can hold

    @classmethod
    def of(cls, hashes: "np.ndarray", band: _Band) -> Self:
        import numpy as np

        keys = band.keys(hashes)
        order = np.argsort(keys, kind="stable")
        counts = np.bincount(keys, minlength=1 << band.width)
        table = np.zeros(len(counts) + 1, np.int32)
        np.cumsum(counts, dtype=np.int32, out=table[1:])
        return cls(band, order, hashes[order], table, counts > 0)

    def near(self, queries: "np.ndarray", max_distance: int, start: int | None) -> "tuple[np.ndarray, np.ndarray]":
        """Indices into `queries` and into ``hashes`` of those near one another.

        start : `queries` are ``hashes[start:]``, as far as they go; each pair then comes once.
        """
        import numpy as np

        keys = self.band.keys(queries)
        firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for flip in self.band.flips():
            flipped = keys ^ np.uint32(flip)
            is_hit = self.is_filled[flipped]
            if start is not None and flip:
                is_hit &= flipped > keys
            row = np.flatnonzero(is_hit)
            key = flipped[row]
            low = row + (start + 1) if start is not None and not flip else self.table[key]
            count = self.table[key + np.uint32(1)] - low
            for piece in _pieces(count):
                of, which = _expand(count[piece])
                first, second = row[piece][of], low[piece][of] + which
                is_near = np.bitwise_count(queries[first] ^ self.hashes[second]) <= max_distance
                firsts.append(first[is_near])
                seconds.append(second[is_near])
        return np.concatenate(firsts), np.concatenate(seconds)


def _pieces(counts: "np.ndarray") -> list[slice]:
    """Slices of `counts` whose sums are about `_MOST` at most, but for a larger single one."""
    import numpy as np

    total = np.cumsum(counts)
    if not len(total) or total[-1] <= _MOST:
        return [slice(None)]
    cuts = np.unique(np.searchsorted(total, np.arange(0, total[-1], _MOST), side="right"))
    return [slice(a, b) for a, b in itertools.pairwise([*cuts, len(counts)])]
