"""That the temperature found is the one of lowest cross-entropy, as far as the pictures are enough to say so."""

import math

import pytest
import torch
from birds.train.calibration import temperature
from hypothesis import given, settings
from hypothesis import strategies as st


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, t: float) -> float:
    return float(torch.nn.functional.cross_entropy(logits.double() / t, labels))


def drawn(seed: int, sharpness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn with the probabilities these logits give."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4000, 5, generator=generator) * 2
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return logits * sharpness, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_logits_too_sharp_or_too_soft_are_brought_back(sharpness: float) -> None:
    logits, labels = drawn(0, sharpness)
    assert temperature(logits, labels) == pytest.approx(sharpness, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.5, 3.0))
def test_no_other_temperature_has_a_lower_cross_entropy(seed: int, sharpness: float) -> None:
    logits, labels = drawn(seed, sharpness)
    found = temperature(logits, labels, spread=math.inf)
    best = cross_entropy(logits, labels, found)
    assert all(best <= cross_entropy(logits, labels, t) + 1e-9 for t in (0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 3.5))


def test_the_fewer_pictures_the_nearer_it_stays_to_1() -> None:
    logits, labels = drawn(0, 2.0)
    found = [temperature(logits[:pictures], labels[:pictures]) for pictures in (10, 100, 4000)]
    assert found == sorted(found)
    assert found[0] < 1.25
    assert found[-1] == pytest.approx(2.0, rel=0.1)


def test_a_set_that_is_all_right_hardly_counts() -> None:
    logits = torch.eye(3) * 10
    assert 0.99 < temperature(logits, torch.arange(3)) < 1
    assert temperature(logits, torch.arange(3), spread=math.inf) < 0.3
