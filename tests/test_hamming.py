import itertools

import numpy as np
import pytest
from birds import hamming
from birds.hamming import SAME, hamming_pairs
from hypothesis import given, settings
from hypothesis import strategies as st

HASH = st.integers(0, 2**64 - 1)
# some that are often near one another, or equal: few bits set
NEAR_HASH = st.sets(st.integers(0, 63), max_size=5).map(lambda bits: sum(1 << bit for bit in bits))
HASHES = st.lists(HASH | NEAR_HASH, max_size=SAME)
DISTANCES = st.integers(0, 10)
BANDS = st.sampled_from([None, 4, 5, 7, 9, 12])  # few and wide ones take long where the distance is large


def _array(hashes: list[int]) -> np.ndarray:
    return np.array(hashes, dtype=np.uint64)


def _found(matches: hamming.Matches) -> list[tuple[int, int, int]]:
    return sorted(zip(matches.first.tolist(), matches.second.tolist(), matches.distance.tolist(), strict=True))


def _compared(
    one: list[int], other: list[int], pairs: itertools.product | itertools.combinations, most: int
) -> list[tuple[int, int, int]]:
    """Brute force."""
    bits = [(i, j, (one[i] ^ other[j]).bit_count()) for i, j in pairs]
    return sorted(pair for pair in bits if pair[2] <= most)


@given(HASHES, DISTANCES, BANDS)
@settings(deadline=None)
def test_the_index_finds_what_comparing_all_with_all_finds(hashes: list[int], most: int, bands: int | None) -> None:
    expected = _compared(hashes, hashes, itertools.combinations(range(len(hashes)), 2), most)
    assert _found(hamming_pairs(_array(hashes), None, most, bands=bands)) == expected


@given(HASHES, HASHES, DISTANCES, BANDS)
@settings(deadline=None)
def test_so_it_does_between_two_sets_of_hashes(one: list[int], other: list[int], most: int, bands: int | None) -> None:
    expected = _compared(one, other, itertools.product(range(len(one)), range(len(other))), most)
    assert _found(hamming_pairs(_array(one), _array(other), most, bands=bands)) == expected


def test_three_bands_as_a_million_hashes_are_searched_by_leave_nothing_out() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**64, 600, np.uint64)
    for i in range(300):  # 0 to 11 bits beside another, wherever they lie
        bits = random.choice(64, i % 12, replace=False)
        hashes[300 + i] = hashes[i] ^ np.uint64(sum(1 << int(bit) for bit in bits))
    as_numbers = hashes.tolist()
    expected = _compared(as_numbers, as_numbers, itertools.combinations(range(600), 2), 8)
    assert len(expected) >= 225
    assert _found(hamming_pairs(hashes, None, 8, bands=3)) == expected
    across = _compared(as_numbers[:300], as_numbers[300:], itertools.product(range(300), range(300)), 8)
    assert _found(hamming_pairs(hashes[:300], hashes[300:], 8, bands=3)) == across


@pytest.mark.parametrize("is_self", [True, False])
def test_what_is_looked_up_and_compared_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch, is_self: bool) -> None:
    random = np.random.default_rng(1)
    hashes = np.unique(random.integers(0, 64, 300, np.uint64) << np.uint64(29))  # full buckets in every band
    others = None if is_self else hashes[::-1].copy()
    expected = _found(hamming_pairs(hashes, others, 3))
    assert len(expected) > 500
    monkeypatch.setattr(hamming, "_ROWS", 7)
    monkeypatch.setattr(hamming, "_MOST", 10)
    assert _found(hamming_pairs(hashes, others, 3)) == expected


def test_ten_thousand_equal_hashes_are_a_star_not_all_pairs() -> None:
    hashes = np.full(10_000, 7, np.uint64)
    hashes[3] = 6  # near them
    found = hamming_pairs(hashes)
    equal = [i for i in range(10_000) if i != 3]
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert {(0, i) for i in equal[1:]} <= pairs
    assert set(itertools.combinations(equal[:SAME], 2)) <= pairs
    assert {(min(i, 3), max(i, 3)) for i in equal[:SAME]} <= pairs
    assert len(pairs) == len(found.first) == (10_000 - 2) + (SAME - 1) * (SAME - 2) // 2 + SAME


def test_nothing_has_no_pairs() -> None:
    nothing = np.empty(0, np.uint64)
    assert _found(hamming_pairs(nothing)) == []
    assert _found(hamming_pairs(nothing, _array([1]))) == _found(hamming_pairs(_array([1]), nothing)) == []
