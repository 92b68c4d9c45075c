"""That the temperature found is the one of lowest cross-entropy."""

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
    found = temperature(logits, labels)
    best = cross_entropy(logits, labels, found)
    assert all(best <= cross_entropy(logits, labels, t) + 1e-9 for t in (0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 3.5))


def test_a_set_that_is_all_right_does_not_end_beyond_its_bounds() -> None:
    logits = torch.eye(3) * 10
    assert 0.2 < temperature(logits, torch.arange(3)) < 0.3
