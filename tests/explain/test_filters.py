"""The first layer's filters as a picture."""

import numpy as np
import pytest
import torch
from birds.drawing import DARK, as_png
from birds.explain.filters import MOST_SHOWN, filters_chart, first_filters
from torch import nn


def convolution(weights: np.ndarray) -> nn.Sequential:
    out, channels, *kernel = weights.shape
    first = nn.Conv2d(channels, out, kernel)
    with torch.no_grad():
        first.weight.copy_(torch.from_numpy(weights))
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(out, 2, 3))


def test_the_strongest_come_first_and_the_silent_are_counted() -> None:
    weights = np.ones((4, 3, 3, 3), np.float32) * np.array([1, 3, 0.001, 2], np.float32).reshape(4, 1, 1, 1)
    found = first_filters(convolution(weights))
    assert found is not None
    assert found.number.tolist() == [1, 3, 0, 2]
    assert found.strength[0] == pytest.approx(3 * 27**0.5)
    assert (found.about.layer, found.about.n, found.about.shown, found.about.silent) == ("0", 4, 4, 1)
    assert found.about.shape == [3, 3, 3]


def test_of_very_many_only_some_are_shown() -> None:
    found = first_filters(convolution(np.random.default_rng(0).normal(size=(100, 1, 5, 5)).astype(np.float32)))
    assert found is not None
    assert (found.about.n, found.about.shown, len(found.weights)) == (100, MOST_SHOWN, MOST_SHOWN)


@pytest.mark.parametrize("shape", [(4, 3, 1, 1), (4, 2, 3, 3)])
def test_what_is_no_pattern_on_colours_is_not_drawn(shape: tuple[int, ...]) -> None:
    assert first_filters(convolution(np.ones(shape, np.float32))) is None
    assert first_filters(nn.Sequential(nn.Flatten(), nn.Linear(3, 3))) is None


def test_a_weight_on_red_alone_is_drawn_red_and_zero_grey() -> None:
    weights = np.zeros((1, 3, 2, 2), np.float32)
    weights[0, 0, 0, 0] = 5
    found = first_filters(convolution(weights))
    assert found is not None
    axis = filters_chart(found).axes[0]
    drawn = np.asarray(axis.images[0].get_array())
    assert drawn[1, 1].tolist() == pytest.approx([1, 0.5, 0.5])
    assert drawn[-1, -1].tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert "all 1 filters of 2 x 2 pixels" in axis.get_title(loc="left")


def test_grey_filters_are_grey_and_dark_pages_have_a_chart_of_their_own() -> None:
    found = first_filters(convolution(np.random.default_rng(1).normal(size=(20, 1, 3, 3)).astype(np.float32)))
    assert found is not None
    drawn = np.asarray(filters_chart(found).axes[0].images[0].get_array())
    assert (drawn[1, 1] == drawn[1, 1, 0]).all()
    assert as_png(filters_chart(found)) != as_png(filters_chart(found, DARK))
