"""The charts of an evaluation, for a light and for a dark page; see `drawing.py` for their colours."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..drawing import LIGHT, Theme, as_png, new_figure
from ..models.charts import confusion_chart, recall_chart
from .results import Calibration, Coverage, EvaluateResult, ReliabilityBin

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def reliability_chart(found: Calibration, theme: Theme = LIGHT) -> "Figure":
    """Share right against confidence, before and after the temperature, and how many pictures are how sure."""
    with new_figure(theme, height=4.6) as figure:
        axes = figure.subplots(2, 2, sharex=True, height_ratios=(3, 1))
        sides = (("Before the temperature", found.before, found.ece_before),
                 (f"After it ({found.temperature:.2f})", found.after, found.ece_after))  # fmt: skip
        for column, (title, bins, error) in enumerate(sides):
            _reliability(axes[0, column], bins, theme)
            axes[0, column].set_title(f"{title}: ECE {error:.3f}")
            axes[0, column].set(ylabel="share right")
            counts = axes[1, column]
            counts.bar([_middle(one) for one in bins], [one.n for one in bins], width=0.9 / len(bins), color=theme.kept)
            counts.set(xlabel="confidence", ylabel="pictures")
        handles, names = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _middle(one: ReliabilityBin) -> float:
    return (one.low + one.high) / 2


def _reliability(axis: "Axes", bins: Sequence[ReliabilityBin], theme: Theme) -> None:
    axis.plot([0, 1], [0, 1], color=theme.ink, linestyle=":", alpha=0.7, label="as often right as sure")
    filled = [one for one in bins if one.n]
    for one in filled:
        if one.interval:
            axis.plot([one.confidence or 0] * 2, one.interval, color=theme.kept, linewidth=2, alpha=0.5)
    sizes = [12 + 160 * one.n / max(b.n for b in bins) for one in filled]
    axis.scatter(
        [one.confidence or 0 for one in filled], [one.accuracy or 0 for one in filled], s=sizes, color=theme.kept,
        alpha=0.8, linewidths=0, label="pictures of like confidence; larger: more of them", zorder=3,
    )  # fmt: skip
    axis.set(xlim=(0, 1.02), ylim=(-0.02, 1.04))
    axis.grid(alpha=0.25)


def coverage_chart(found: Coverage, theme: Theme = LIGHT) -> "Figure":
    """Accuracy among the answered pictures against how many are answered; the model's own threshold marked."""
    thresholds, shares, accuracies = (np.array(column) for column in zip(*found.curve, strict=True))
    del thresholds
    with new_figure(theme, height=3.8, width=8) as figure:
        axis = figure.subplots()
        axis.step(shares, accuracies, where="post", color=theme.kept, linewidth=2)
        low = max(0.0, min(accuracies.min(), found.accuracy or 1.0) - 0.08)
        if found.accuracy is not None:
            share = found.answered / found.n
            axis.plot([share, share], [low, found.accuracy], color=theme.other, linestyle="--")
            axis.plot(share, found.accuracy, "D", color=theme.other, markersize=8, zorder=3)
            text = f"unsure below {found.threshold:.2f}:\n{found.answered} of {found.n} answered, "
            text += f"{found.accuracy:.1%} right"
            is_right = share > 0.6
            axis.annotate(
                text, (share, low), xytext=(-8 if is_right else 8, 8), textcoords="offset points",
                ha="right" if is_right else "left", va="bottom", color=theme.other,
            )  # fmt: skip
        axis.set(xlim=(0, 1.02), ylim=(low, 1.01), xlabel="share of pictures answered", ylabel="share of answers right")
        axis.set_title("What saying 'unsure' is worth")
        axis.grid(alpha=0.25)
    return figure


def charts(result: EvaluateResult, matrix: np.ndarray, theme: Theme) -> dict[str, bytes]:
    """PNGs by the names they have in the folder, without ``.png``; the map is drawn by itself."""
    return {
        "confusion": as_png(confusion_chart(matrix, list(result.per_class), theme)),
        "classes": as_png(recall_chart(result.per_class, result.accuracy, theme)),
        "reliability": as_png(reliability_chart(result.calibration, theme)),
        "coverage": as_png(coverage_chart(result.coverage, theme)),
    }
