from collections import Counter

import pytest
from birds.errors import ProjectError
from birds.split.folds import folds
from hypothesis import given
from hypothesis import strategies as st


@given(
    sizes=st.lists(st.integers(5, 20), min_size=1, max_size=4), k=st.integers(2, 5), seed=st.integers(0, 99),
    pairs=st.integers(0, 5),
)  # fmt: skip
def test_folds_keep_groups_together_and_share_out_every_class(sizes: list[int], k: int, seed: int, pairs: int) -> None:
    labels = {(c, i): f"class {c}" for c, size in enumerate(sizes) for i in range(size + 10)}
    numbers = {key: number for number, key in enumerate(labels)}
    by_number = {numbers[key]: label for key, label in labels.items()}
    ties = [(numbers[0, 2 * i], numbers[0, 2 * i + 1]) for i in range(pairs)]
    found = folds(by_number, ties, k, seed)
    assert found.keys() == by_number.keys()
    assert all(found[a] == found[b] for a, b in ties)
    for label in set(by_number.values()):
        counts = Counter(found[number] for number in by_number if by_number[number] == label)
        assert set(counts) == set(range(1, k + 1))
        assert max(counts.values()) - min(counts.values()) <= 1 + (pairs > 0)
    assert found == folds(by_number, ties, k, seed)


def test_what_is_over_in_each_class_does_not_all_go_to_the_first_fold() -> None:
    labels = {10 * c + i: f"class {c}" for c in range(5) for i in range(6)}
    sizes = Counter(folds(labels, [], 5, 5).values())
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_other_seeds_give_other_folds() -> None:
    labels = dict.fromkeys(range(40), "loro")
    assert folds(labels, [], 4, 1) != folds(labels, [], 4, 2)


def test_a_class_with_too_few_different_pictures_is_named() -> None:
    labels = dict.fromkeys(range(20), "loro") | dict.fromkeys(range(20, 26), "garza")
    folds(labels, [], 6, 5)
    with pytest.raises(ProjectError, match=r"'garza' has 5 different pictures .* 6 folds") as caught:
        folds(labels, [(20, 21)], 6, 5)
    assert "--kfold" in caught.value.hint
