from itertools import combinations

import pytest
from birds.duplicates import MAX_DISTANCE, groups, near_pairs
from hypothesis import given, settings
from hypothesis import strategies as st

HASH = st.integers(0, 2**64 - 1)
# hashes that are often near one another: few bits set
NEAR_HASH = st.sets(st.integers(0, 63), max_size=8).map(lambda bits: sum(1 << bit for bit in bits))


def _is_near(a: tuple[int, int], b: tuple[int, int], distance: int) -> bool:
    upright = (a[0] ^ b[0]).bit_count()
    return min(upright, (a[0] ^ b[1]).bit_count(), (a[1] ^ b[0]).bit_count()) <= distance


@given(st.lists(st.tuples(HASH | NEAR_HASH, HASH | NEAR_HASH), max_size=20), st.integers(0, 20))
@settings(deadline=None)
def test_near_pairs_are_those_that_differ_in_few_bits_upright_or_mirrored(
    hashes: list[tuple[int, int]], distance: int
) -> None:
    expected = [
        (i, j) for (i, a), (j, b) in combinations(enumerate(hashes), 2) if _is_near(a, b, distance)
    ]  # fmt: skip
    assert sorted(near_pairs([a for a, _ in hashes], [b for _, b in hashes], distance)) == expected


def test_the_limit_is_eight_bits() -> None:
    far = 2**64 - 1
    assert MAX_DISTANCE == 8
    assert near_pairs([0, 0xFF], [far, far << 32 & far]) == [(0, 1)]
    assert near_pairs([0, 0x1FF], [far, far]) == []


def test_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("birds.duplicates._BLOCK", 4)
    hashes = [0x1111_1111_1111_1111 * (i % 13) for i in range(13)] * 2
    mirrored = [0x0123_4567_89AB_CDEF] * 26
    assert near_pairs(hashes, mirrored, 0) == [(i, i + 13) for i in range(13)]


@given(st.integers(1, 15).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_groups_are_the_connected_parts(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    n, pairs = drawn
    found = groups(n, pairs)
    assert sorted(i for group in found for i in group) == list(range(n))
    assert all(group == sorted(group) for group in found)
    assert [group[0] for group in found] == sorted(group[0] for group in found)
    group_of = {i: number for number, group in enumerate(found) for i in group}
    assert all(group_of[i] == group_of[j] for i, j in pairs)
    links = {frozenset(pair) for pair in pairs if pair[0] != pair[1]}
    assert len(found) >= n - len(links)
    for group in found:  # nothing is together without a chain of pairs
        reached, before = {group[0]}, set[int]()
        while reached != before:
            before = set(reached)
            reached |= {j for pair in links if pair & before for j in pair}
        assert reached == set(group)


def test_a_chain_of_near_pictures_is_one_group() -> None:
    assert groups(5, [(3, 1), (1, 4)]) == [[0], [1, 3, 4], [2]]
