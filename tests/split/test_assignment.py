import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from birds.split.assignment import PARTS, add, bundles, pictures_needed, split_anew, spread
from hypothesis import given, settings
from hypothesis import strategies as st

RATIOS = st.sampled_from([(70, 15, 15), (60, 20, 20), (80, 10, 10), (34, 33, 33), (90, 9, 1)])
RATIO = (70, 15, 15)


def _anew(labels: dict[int, str], ties: Sequence[Sequence[int]], ratio: Sequence[int], seed: int) -> dict[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        names = {picture: (label, f"{picture}.jpg") for picture, label in labels.items()}
        return split_anew(names, ties, ratio, seed, Path(folder))


def _singles(label: str, n: int, start: int = 0) -> dict[int, str]:
    return dict.fromkeys(range(start, start + n), label)


# -- bundles


def test_ties_join_through_others_and_single_pictures_stay_alone() -> None:
    assert bundles([1, 2, 3, 4, 5], [(1, 3), (3, 5)]) == [[1, 3, 5], [2], [4]]


def test_a_tie_holds_without_those_of_it_that_are_gone() -> None:
    assert bundles([1, 2, 3], [(1, 9, 3)]) == [[1, 3], [2]]
    assert bundles([1, 2, 3], [(1, 9), (9, 3)]) == [[1], [2], [3]]


# -- the invariant


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[int, str], list[tuple[int, ...]], dict[int, int], list[set[int]]]:
    """Labels and ties of pictures, the round in which each comes, and which of them are rejected in each round."""
    n = draw(st.integers(1, 30))
    pictures = st.integers(0, n - 1)
    labels = {i: draw(st.sampled_from("abc")) for i in range(n)}
    ties = (
        draw(st.lists(st.lists(pictures, min_size=2, max_size=4, unique=True).map(tuple), max_size=12)) if n > 3 else []
    )
    arrivals = {i: draw(st.integers(0, 3)) for i in range(n)}
    rejected = [draw(st.sets(pictures, max_size=n // 2)) for _ in range(5)]
    return labels, ties, arrivals, rejected


@given(history=histories(), ratio=RATIOS, seed=st.integers(0, 10_000), data=st.data())
@settings(deadline=None, max_examples=150)
def test_nothing_straddles_nothing_moves_and_everything_is_somewhere(
    history: tuple[dict[int, str], list[tuple[int, ...]], dict[int, int], list[set[int]]],
    ratio: tuple[int, int, int],
    seed: int,
    data: st.DataObject,
) -> None:
    labels, ties, arrivals, rejected = history
    known: dict[int, str] = {}
    for number, absent in enumerate(rejected):
        accepted = {i: label for i, label in labels.items() if arrivals[i] <= number and i not in absent}
        held = [tie for tie in ties if data.draw(st.integers(0, 9))]  # now and then a tie is found late, or taken back
        if known:
            assigned = add(accepted, held, known, ratio, seed)
            parts, bridges = assigned.parts, assigned.bridges
        else:
            parts, bridges = _anew(accepted, held, ratio, seed), set()
        assert parts.keys() | bridges == accepted.keys()
        assert not parts.keys() & bridges
        assert set(parts.values()) <= set(PARTS)
        for tie in held:
            assert len({parts[i] for i in tie if i in parts}) <= 1, "a tie straddles"
        for picture, part in parts.items():
            assert known.get(picture, part) == part, "a picture moved"
        for bundle in bundles(accepted, held):
            sides = {parts.get(i) or known.get(i) for i in bundle} - {None}
            assert len(sides) > 1 or not bridges & set(bundle), "left out without need"
        known |= parts


@given(history=histories(), ratio=RATIOS, seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=30)
def test_what_comes_back_is_where_it_was(
    history: tuple[dict[int, str], list[tuple[int, ...]], dict[int, int], list[set[int]]],
    ratio: tuple[int, int, int],
    seed: int,
) -> None:
    labels, ties, _, (rejected, *_) = history
    first = _anew(labels, ties, ratio, seed)
    assert add(labels, ties, first, ratio, seed).parts == first
    without = add({i: label for i, label in labels.items() if i not in rejected}, ties, first, ratio, seed).parts
    assert without == {i: part for i, part in first.items() if i not in rejected}


# -- anew


def test_a_group_of_several_labels_goes_to_one_part_and_the_others_are_divided_as_ever() -> None:
    labels = _singles("a", 40) | _singles("b", 40, 40)
    page = (3, 7, 11, 41, 45)
    parts = _anew(labels, [page], RATIO, 5)
    assert len({parts[i] for i in page}) == 1
    alone = _anew({i: label for i, label in labels.items() if i not in (41, 45)}, [page], RATIO, 5)
    assert {i: part for i, part in parts.items() if i not in (41, 45)} == alone


def test_the_label_with_most_of_a_group_decides() -> None:
    """Sixty pictures of a page would leave a class of single ones lopsided, were it the other way round."""
    labels = _singles("a", 10) | _singles("b", 40, 10)
    tie = (0, *range(10, 30))
    parts = _anew(labels, [tie], RATIO, 5)
    rest = _anew({i: label for i, label in labels.items() if i != 0}, [tie], RATIO, 5)
    assert {i: part for i, part in parts.items() if i != 0} == rest


# -- adding


def test_a_newcomer_joins_what_it_is_tied_to() -> None:
    known = {0: "train", 1: "val", 2: "test"}
    labels = _singles("a", 9)
    parts = add(labels, [(0, 3), (1, 4), (2, 5), (5, 6)], known, RATIO, 5).parts
    assert [parts[i] for i in (3, 4, 5)] == ["train", "val", "test"]
    assert parts[6] == "test", "through another newcomer"


def test_newcomers_tied_to_two_parts_stay_out_together() -> None:
    assigned = add(_singles("a", 9), [(0, 3), (3, 4), (4, 1)], {0: "train", 1: "val", 2: "test"}, RATIO, 5)
    assert assigned.bridges == {3, 4}
    assert [assigned.parts[i] for i in range(3)] == ["train", "val", "test"]


def test_a_picture_that_is_gone_ties_only_where_nothing_else_does() -> None:
    known = {0: "test", 1: "test", 2: "val", 3: "train"}
    labels = dict.fromkeys(range(1, 8), "a")
    assert add(labels, [(0, 4)], known, RATIO, 5).parts[4] == "test", "a better copy of a rejected picture"
    assigned = add(labels, [(0, 4), (4, 2)], known, RATIO, 5)
    assert assigned.parts[4] == "val"
    assert not assigned.bridges


def test_of_assigned_pictures_that_turn_out_to_be_one_the_test_picture_stays() -> None:
    known = {0: "train", 1: "train", 2: "test", 3: "val"}
    assigned = add(_singles("a", 4), [(0, 2), (1, 0)], known, RATIO, 5)
    assert assigned.bridges == {0, 1}
    assert assigned.parts == {2: "test", 3: "val"}
    assert add(_singles("a", 4), [], known | assigned.parts, RATIO, 5).parts == known, "and back, when they are not"


@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=60), ratio=st.sampled_from([(70, 15, 15), (34, 33, 33)]),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(deadline=None, max_examples=30)
def test_many_small_additions_keep_the_shares(sizes: list[int], ratio: tuple[int, int, int], seed: int) -> None:
    labels = _singles("a", 40)
    known = _anew(labels, [], ratio, seed)
    for size in sizes:
        labels |= _singles("a", size, len(labels))
        known = add(labels, [], known, ratio, seed).parts
    counts = Counter(known.values())
    for part, share in zip(PARTS, ratio, strict=True):
        # split-folders gives test what it cuts off train and val, up to 2 pictures
        assert counts[part] == pytest.approx(share / 100 * len(labels), abs=2)


@given(n=st.integers(1, 60), ratio=RATIOS, seed=st.integers(0, 99))
def test_a_new_class_that_is_large_enough_has_pictures_in_every_part(
    n: int, ratio: tuple[int, int, int], seed: int
) -> None:
    needed = pictures_needed(ratio)
    labels = _singles("b", needed + n)
    parts = add(labels | _singles("a", 3, 1000), [], {1000: "train", 1001: "val", 1002: "test"}, ratio, seed).parts
    assert {parts[i] for i in labels} == set(PARTS)


@pytest.mark.parametrize(("ratio", "needed"), [((70, 15, 15), 7), ((80, 10, 10), 10), ((34, 33, 33), 4)])
def test_how_many_pictures_a_class_needs(ratio: tuple[int, int, int], needed: int) -> None:
    assert pictures_needed(ratio) == needed
    assert set(_anew(_singles("a", needed) | _singles("b", 50, 100), [], ratio, 5).values()) == set(PARTS)
    fewer = _anew(_singles("a", needed - 1) | _singles("b", 50, 100), [], ratio, 5)
    assert {fewer[i] for i in range(needed - 1)} != set(PARTS)


def test_large_groups_are_placed_first_so_that_the_small_ones_even_them_out() -> None:
    together = [[0], [1], [2], [3], list(range(4, 10))]
    placed = spread(together, _singles("a", 10), {"x": 0.6, "y": 0.4}, 5, {})
    assert Counter(placed.values()) == {"x": 6, "y": 4}
    assert {placed[i] for i in range(4, 10)} == {"x"}


def test_the_seed_decides_which_newcomers_go_where() -> None:
    labels = _singles("a", 100)
    one, other = (spread([[i] for i in labels], labels, {"x": 0.5, "y": 0.5}, seed, {}) for seed in (1, 2))
    assert one != other
    assert one == spread([[i] for i in labels], labels, {"x": 0.5, "y": 0.5}, 1, {})
