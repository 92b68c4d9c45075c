"""Threads that work a little ahead."""

import threading
import time
from collections.abc import Iterator

import pytest
from birds.predict.ahead import in_threads


def test_results_come_in_order_however_long_each_takes() -> None:
    def slow_when_even(number: int) -> int:
        time.sleep(0.01 * (number % 2 == 0))
        return number

    assert list(in_threads(slow_when_even, range(20), threads=4, ahead=6)) == list(range(20))


def test_no_more_is_begun_than_may_be_ahead() -> None:
    begun = 0

    def numbers() -> Iterator[int]:
        nonlocal begun
        for number in range(1000):
            begun += 1
            yield number

    results = in_threads(lambda one: one, numbers(), threads=2, ahead=8)
    for taken in range(1, 50):
        next(results)
        assert begun <= taken + 8
    results.close()


def test_an_error_comes_in_its_place_and_the_threads_end() -> None:
    def fails_at_three(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    before = threading.active_count()
    results = in_threads(fails_at_three, range(10), threads=2, ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    for _ in range(200):
        if threading.active_count() <= before:
            break
        time.sleep(0.01)
    assert threading.active_count() <= before
