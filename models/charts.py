"""The charts of pictures with known labels that an evaluation and an explanation share; see `drawing.py`.

Each is for a light or a dark page. Nothing is told by colour alone.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..drawing import DARK, LIGHT, Theme, new_figure, say, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_NUMBERED = 30  # classes; beyond, there is no room for numbers in the cells
_MOST_NAMED = 200  # classes beside the confusion matrix; of more, every second or third one
_LARGEST = 24.0  # inches
_MOST_ROWS = 60  # classes of the recall chart; of more, those of lowest recall
_MARKERS = "osD^vP*X<>hp"
_MOST_MARKED = 12  # classes told apart on the map by shape and colour; of more, the most frequent ones
_MOST_WIDE_RINGS = 500  # pictures on a map; among more, wide rings round the mistakes would hide the rest
_COLOURS = {  # after Okabe and Ito; brighter on a dark page
    LIGHT: ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999999", "#b8a200"),
    DARK: ("#4ba3e3", "#f2b134", "#2fc79a", "#ff8a4c", "#e6a3c8", "#a6dcff", "#c4c4c4", "#e0d040"),
}


def confusion_chart(matrix: np.ndarray, labels: Sequence[str], theme: Theme = LIGHT) -> "Figure":
    """Counts [classes, classes], true classes in rows, shaded by the share of the row.

    Numbers stand in the cells, so that nothing is told by colour alone; beyond 30 classes there is no room for them,
    and beyond 200 none for every name.
    """
    from matplotlib.colors import LinearSegmentedColormap

    n = len(labels)
    side = max(3.6, min(_LARGEST, 1.8 + 0.5 * n))
    font = max(5.0, min(9.0, 260 / n))
    named = range(0, n, -(-n // _MOST_NAMED))
    names = [shortened(label, 170, font) for label in labels]
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with new_figure(theme, height=side, width=side + 2.4) as figure:
        axis = figure.subplots()
        shades = LinearSegmentedColormap.from_list("shades", [theme.ground, theme.kept])
        picture = axis.imshow(share, cmap=shades, vmin=0, vmax=1)
        turned: dict[str, Any] = {"rotation": 90}
        if n <= _MOST_NUMBERED:
            turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axis.set_xticks(named, [names[i] for i in named], fontsize=font, **turned)
        axis.set_yticks(named, [names[i] for i in named], fontsize=font)
        axis.set(xlabel="taken for", ylabel="what it is")
        axis.set_title(f"{int(matrix.trace()):,} of {int(matrix.sum()):,} right")
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
        if n <= _MOST_NUMBERED:
            for row, column in np.argwhere(matrix > 0):
                colour = theme.ground if share[row, column] > 0.5 else theme.ink
                axis.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=font)
        bar = figure.colorbar(picture, ax=axis, shrink=0.7, label="share of the true class")
        bar.outline.set_visible(False)
    return figure


def recall_chart(per_class: Mapping[str, Mapping[str, Any]], accuracy: float, theme: Theme = LIGHT) -> "Figure":
    """Share of each class that was recognised, a bar each, with its interval where there are enough pictures.

    Parameters
    ----------
    per_class : label -> n, recall, recall_interval; see `statistics.ClassFigures`.
    accuracy : of all pictures.
    """
    rows = [(label, one) for label, one in per_class.items() if one["n"]]
    rows.sort(key=lambda row: row[1]["recall"])
    left_out = max(0, len(rows) - _MOST_ROWS)
    rows = rows[:_MOST_ROWS]
    with new_figure(theme, height=1.2 + 0.26 * len(rows)) as figure:
        axis = figure.subplots()
        for place, (_, one) in enumerate(rows):
            axis.barh(place, one["recall"], height=0.7, color=theme.kept, alpha=0.3)
            axis.plot(one["recall"], place, "o", color=theme.kept, markersize=5, zorder=3)
            if one["recall_interval"]:
                axis.plot(one["recall_interval"], (place, place), "|-", color=theme.kept, linewidth=2, markersize=7)
            text = f"{round(one['recall'] * one['n'])} of {one['n']}"
            axis.annotate(text, (1.01, place), xycoords=("axes fraction", "data"), va="center")
        axis.axvline(accuracy, color=theme.other, linestyle="--", label=f"all pictures: {accuracy:.2f}")
        axis.set_yticks(range(len(rows)), [shortened(label, 190) for label, _ in rows])
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set(xlim=(-0.01, 1.01), xlabel="share recognised (recall)")
        axis.set_title("Each class" + (f": the {len(rows)} of lowest recall" if left_out else ""))
        axis.grid(axis="x", alpha=0.25)
        axis.tick_params(axis="y", length=0)
        axis.spines[["left"]].set_visible(False)
        figure.legend(loc="outside lower center", frameon=False)
    return figure


def map_chart(
    points: np.ndarray,
    truth: np.ndarray,
    is_right: np.ndarray,
    labels: Sequence[str],
    theme: Theme = LIGHT,
    *,
    title: str = "",
) -> "Figure":
    """Pictures on the map of features, [N, 2]: classes by shape and colour, mistakes ringed."""
    with new_figure(theme, height=6.2) as figure:
        axis = figure.subplots()
        if not len(points):
            say(axis, "Too few pictures for a map.")
            return figure
        draw_map(axis, points, truth, is_right, labels, theme=theme)
        axis.set_title(title)
        figure.legend(loc="outside right upper", frameon=False)
    return figure


def draw_map(
    axis: "Axes",
    points: np.ndarray,
    truth: np.ndarray,
    is_right: np.ndarray,
    labels: Sequence[str],
    *,
    theme: Theme = LIGHT,
) -> None:
    """The same on an axis of a figure with several; what its marks mean is left to a legend."""
    x, y = points.T
    frequent = np.argsort(-np.bincount(truth, minlength=len(labels)), kind="stable")[:_MOST_MARKED]
    marked = sorted(int(index) for index in frequent if (truth == index).any())
    rest = ~np.isin(truth, marked)
    if rest.any():
        axis.scatter(x[rest], y[rest], s=10, color=theme.ink, alpha=0.25, linewidths=0, label="other classes")
    colours = _COLOURS[theme]
    for place, index in enumerate(marked):
        here = truth == index
        axis.scatter(
            x[here], y[here], s=64 if _MARKERS[place] == "*" else 34, marker=_MARKERS[place], linewidths=0,
            color=colours[place % len(colours)], alpha=0.85, label=shortened(labels[index], 160),
        )  # fmt: skip
    if not is_right.all():
        size, line = (120, 1.2) if len(points) <= _MOST_WIDE_RINGS else (60, 0.7)
        axis.scatter(
            x[~is_right], y[~is_right], s=size, facecolors="none", edgecolors=theme.ink, linewidths=line,
            label="judged wrongly",
        )  # fmt: skip
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
