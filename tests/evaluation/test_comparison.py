"""McNemar's exact test, and what each of two models gets right alone."""

import numpy as np
import pytest
from birds.evaluation.comparison import compared, mcnemar_p


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 3), (2, 9), (0, 12), (40, 75), (400, 330)])
def test_p_is_that_of_scipys_binomial_test(first: int, second: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert mcnemar_p(first, second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_p(second, first) == mcnemar_p(first, second)


def test_p_by_hand() -> None:
    """Of 5 only one is the second's: 2 * (1 + 5) / 32."""
    assert mcnemar_p(4, 1) == pytest.approx(12 / 32)


def test_pictures_that_one_alone_gets_right_are_named() -> None:
    files = [f"{number}.jpg" for number in range(6)]
    first, second = np.array([1, 1, 1, 1, 0, 0], bool), np.array([1, 1, 0, 0, 1, 0], bool)
    loss = np.arange(6.0)
    found = compared(files, ("a", first, loss), ("b", second, loss), np.arange(6))
    assert found.first.only_right == ["2.jpg", "3.jpg"]
    assert found.second.only_right == ["4.jpg"]
    assert (found.both_right, found.neither_right, found.n) == (2, 1, 6)
    assert found.difference == pytest.approx(1 / 6)
    assert found.difference_interval is None, "six pictures are too few"
    assert found.p == 1.0
    assert "a alone gets 2 right, b alone 1" in found.in_words
    assert "may well be equally good" in found.in_words


def test_a_difference_too_large_for_chance_is_called_one() -> None:
    first = np.ones(40, bool)
    second = np.arange(40) < 30
    found = compared([str(i) for i in range(40)], ("a", first, 1 - first), ("b", second, 1 - second), np.arange(40))
    assert found.p < 0.01
    assert "more than chance" in found.in_words
    low, high = found.difference_interval or (0, 0)
    assert 0 < low < 0.25 < high
