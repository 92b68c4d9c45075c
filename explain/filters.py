"""The filters of a network's first convolution as a picture: what small patterns it looks for in the pixels.

As in Krizhevsky et al. (2012), figure 3. Those of a ViT are the patches its pictures are cut into.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from ..drawing import LIGHT, Theme, new_figure
from .results import FiltersFound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 64
_COLUMNS = 16
_CELL, _GAP = 48, 8  # pixels of a filter's side at least, and between two
_SILENT = 0.01  # of the strongest one's strength
_COLOURS = {1: "grey", 3: "red, green and blue"}


@dataclass(frozen=True)
class Filters:
    """Filters of one layer, the strongest first.

    Attributes
    ----------
    number : of each in its layer, from 0.
    weights : float32 [shown, channels, height, width]; channels are 1 (grey) or 3 (red, green, blue).
    strength : Euclidean length of each one's weights.
    """

    about: FiltersFound
    number: np.ndarray
    weights: np.ndarray
    strength: np.ndarray


def first_filters(network: nn.Module) -> Filters | None:
    """The up to 64 strongest filters of the first convolution; None where it is not one on grey or on colours."""
    convolutions = ((name, one) for name, one in network.named_modules() if isinstance(one, nn.Conv2d))
    name, first = next(convolutions, ("", None))
    if first is None or first.weight.shape[1] not in _COLOURS or min(first.kernel_size) < 2:
        return None
    weights = first.weight.detach().float().cpu().numpy()
    strength = np.sqrt((weights**2).sum(axis=(1, 2, 3)))
    order = np.argsort(-strength, kind="stable")[:MOST_SHOWN]
    about = FiltersFound(
        layer=name,
        n=len(weights),
        shown=len(order),
        shape=list(weights.shape[1:]),
        silent=int((strength < _SILENT * strength.max()).sum()),
    )
    return Filters(about, order, weights[order], strength[order])


def filters_chart(filters: Filters, theme: Theme = LIGHT) -> "Figure":
    """A square each, mid grey where its weights are 0, brighter where more of a colour speaks for it."""
    about = filters.about
    columns = min(_COLUMNS, about.shown)
    rows = -(-about.shown // columns)
    times = -(-_CELL // max(about.shape[1:]))
    height, width = (side * times + _GAP for side in about.shape[1:])
    ground = [int(theme.ground[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    picture = np.tile(np.array(ground), (rows * height - _GAP, columns * width - _GAP, 1))
    for place, weights in enumerate(filters.weights):
        top, left = place // columns * height, place % columns * width
        shown = np.kron(_as_colours(weights), np.ones((times, times, 1)))
        picture[top : top + height - _GAP, left : left + width - _GAP] = shown
    channels, high, wide = about.shape
    some = f"the {about.shown} strongest of {about.n}" if about.shown < about.n else f"all {about.n}"
    inches = 10 * columns / _COLUMNS
    with new_figure(theme, height=0.5 + inches * picture.shape[0] / picture.shape[1], width=max(6, inches)) as figure:
        axis = figure.subplots()
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(f"{about.layer}: {some} filters of {wide} x {high} pixels on {_COLOURS[channels]}")
        axis.set_axis_off()
    return figure


def _as_colours(weights: np.ndarray) -> np.ndarray:
    """[channels, h, w] as red, green and blue from 0 to 1, [h, w, 3], on the scale of its own largest weight."""
    scaled = 0.5 + weights / (2 * max(float(np.abs(weights).max()), 1e-12))
    colours: np.ndarray = np.repeat(scaled, 3 // len(scaled), axis=0).transpose(1, 2, 0)
    return colours
