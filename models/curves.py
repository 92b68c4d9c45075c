"""A run's history as a picture: loss, accuracy and learning rate by epoch, with the verdict in words below."""

import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files
from ..drawing import DARK, LIGHT, Theme, as_png, new_figure
from .verdict import History, best_of, verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TRAIN = {LIGHT: "#777777", DARK: "#a2aba8"}
_BEST = {LIGHT: "#c01818", DARK: "#ff8f80"}
_SHADES = {LIGHT: ("#eef3f8", "#fbf3e9"), DARK: ("#222c33", "#332b22")}
_MOST_MARKERS = 25  # epochs; beyond, dots hide the lines


def curves_chart(history: History, theme: Theme = LIGHT) -> "Figure":
    """Loss, accuracy and learning rate by epoch: phases shaded, best epoch marked, verdict below."""
    from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

    epochs = range(1, len(history) + 1)
    best = best_of(history)
    marker = "o" if len(history) <= _MOST_MARKERS else ""
    with new_figure(theme, height=4.2, width=12) as figure:
        axes = loss, accuracy, rate = figure.subplots(1, 3)

        def line(axis: "Axes", column: str, colour: str, style: str = "-", label: str = "") -> None:
            values = [float(row[column]) for row in history]
            axis.plot(epochs, values, style, marker=marker, markersize=3.5, color=colour, label=label)

        line(loss, "train_loss", _TRAIN[theme], "--", "training")
        line(loss, "valid_loss", theme.kept, label="validation")
        line(accuracy, "valid_accuracy", theme.kept)
        rate.step(epochs, [float(row["lr"]) for row in history], where="mid", color=theme.other)
        loss.set(ylim=(0, None))
        accuracy.set(ylim=(0, 1))
        rate.set(yscale="log")
        rate.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # powers of ten would be set as mathematics
        rate.yaxis.set_minor_formatter(NullFormatter())
        titles = ("Loss (cross-entropy, nats)", "Validation accuracy", "Learning rate of the head")
        for axis, title in zip(axes, titles, strict=True):
            axis.set_title(title, pad=16)  # the phases' names stand below it
            _shade_phases(axis, history, theme)
            axis.set(xlabel="epoch", xlim=(0.5, len(history) + 0.5))
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.grid(alpha=0.25)
        if best is not None:
            at = list(history).index(best) + 1
            lowest = float(best["valid_loss"])
            text = f"best: epoch {best['epoch']} of {best['phase']}, {lowest:.4f}"
            star: dict[str, Any] = {
                "marker": "*", "linestyle": "", "markersize": 14, "color": _BEST[theme], "zorder": 5,
            }  # fmt: skip
            loss.plot(at, lowest, label=text, **star)
            accuracy.plot(at, float(best["valid_accuracy"]), **star)
        loss.legend(frameon=False, fontsize=9)
        figure.supxlabel(textwrap.fill(verdict(history).in_words, 150), fontsize=10)
    return figure


def draw_curves(history: History, path: Path) -> None:
    """The same as a PNG in `path`."""
    files.write_bytes(path, as_png(curves_chart(history)))


def _shade_phases(axis: "Axes", history: History, theme: Theme) -> None:
    """A ground and a name for each phase."""
    start = 0
    for number, (name, rows) in enumerate(groupby(history, key=lambda row: row["phase"])):
        end = start + len(list(rows))
        shades = _SHADES[theme]
        axis.axvspan(start + 0.5, end + 0.5, color=shades[number % len(shades)], zorder=0, linewidth=0)
        axis.annotate(
            name, ((start + end + 1) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", fontsize=8, alpha=0.75,
        )  # fmt: skip
        start = end
