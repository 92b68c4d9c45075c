"""A run's history as a picture, and what it says about over- and underfitting in a sentence.

The training loss is measured on augmented pictures, with dropout, before each step is taken; the validation loss is
not. So the first may lie above the second in a healthy run: only its course, and its lying far below, say anything.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from .. import files
from ..drawing import as_png

History = Sequence[Mapping[str, Any]]  # rows of history.csv, figures as numbers or as text

# Losses differ between two runs of the same settings by some per cent; less than these says nothing.
_STILL_FALLS = 0.01  # of its value, in the last fifth of a phase
_RISES = 0.05  # of the lowest validation loss, in the mean over the epochs after it
_FALLS = 0.05  # of the training loss, over the same epochs
_FAR_BELOW = 0.5  # training loss as a share of the validation loss
_HIGH = math.log(2)  # nats: the right class gets less than half of the probability (geometric mean)
_HIGH_ACCURACY = 0.7  # among very many classes a loss above `_HIGH` may still be a good one
_LEAST_EPOCHS = 3

_COLOURS = {"train": "#777777", "valid": "#0060a8", "rate": "#b04a00", "best": "#c01818"}
_SHADES = ("#eef3f8", "#fbf3e9")
_MOST_MARKERS = 25  # epochs; beyond, dots hide the lines


def verdict(history: History) -> str:
    """Whether a run shows over- or underfitting, in one or two sentences that say what may help.

    Judged is the phase that the best epoch belongs to; a second sentence says so where fine-tuning brought nothing.
    """
    rows = _finite(history)
    if not rows:
        return "No epoch ended with a finite loss."
    best = min(rows, key=_valid)
    words = _of_phase([row for row in rows if row["phase"] == best["phase"]])
    later = [row for row in rows if row["phase"] != best["phase"] and rows.index(row) > rows.index(best)]
    if not later:
        return words
    lowest = min(later, key=_valid)
    overfits = later[-1] is not lowest and _overfits(later, later.index(lowest))
    remedy = "it overfits, a lower --lr or fewer epochs for it may help" if overfits else "a lower --lr may help"
    return (
        f"{words} Phase {lowest['phase']} did not lower the validation loss ({_valid(lowest):.3f} against "
        f"{_valid(best):.3f}): {remedy}."
    )


def _of_phase(rows: History) -> str:
    phase = rows[0]["phase"]
    if len(rows) < _LEAST_EPOCHS:
        return f"Phase {phase} has too few epochs to tell over- from underfitting."
    index = min(range(len(rows)), key=lambda i: _valid(rows[i]))
    best = rows[index]
    if index == len(rows) - 1 and _still_falls(rows):
        return f"Validation loss fell to the end of phase {phase}: more epochs may help."
    if _overfits(rows, index):
        return (
            f"Training loss kept falling after epoch {best['epoch']} of phase {phase} while validation loss rose: it "
            "overfits; fewer epochs, more pictures or stronger augmentation help. The best epoch is what was kept."
        )
    if min(_train(best), _valid(best)) > _HIGH and float(best["valid_accuracy"]) < _HIGH_ACCURACY:
        return (
            f"Both losses stayed high (training {_train(best):.2f}, validation {_valid(best):.2f}): it underfits; a "
            "larger network, another --lr, or a look at the labels may help."
        )
    if _train(best) < _FAR_BELOW * _valid(best):
        return (
            f"Training loss is far below validation loss ({_train(best):.3f} against {_valid(best):.3f}): it knows its "
            "training pictures better than new ones; more pictures or stronger augmentation help."
        )
    above = (
        " Training loss is the higher one since it is measured on augmented pictures, with dropout."
        if _train(best) > _valid(best)
        else ""
    )
    return f"Training and validation agree: neither over- nor underfitting shows.{above}"


def _overfits(rows: History, best: int) -> bool:
    """Whether, over two or more epochs after `best`, training loss went on falling and validation loss rose."""
    after = rows[best + 1 :]
    if len(after) < 2:
        return False
    rises = sum(map(_valid, after)) / len(after) > (1 + _RISES) * _valid(rows[best])
    return rises and _train(after[-1]) < (1 - _FALLS) * _train(rows[best])


def _still_falls(rows: History) -> bool:
    before = min(map(_valid, rows[: -max(1, len(rows) // 5)]))
    return _valid(rows[-1]) < (1 - _STILL_FALLS) * before


def _train(row: Mapping[str, Any]) -> float:
    return float(row["train_loss"])


def _valid(row: Mapping[str, Any]) -> float:
    return float(row["valid_loss"])


def _finite(history: History) -> list[Mapping[str, Any]]:
    return [row for row in history if math.isfinite(_valid(row)) and math.isfinite(_train(row))]


def draw_curves(history: History, path: Path) -> None:
    """Loss, accuracy and learning rate by epoch as a PNG: phases shaded, best epoch marked, verdict below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot would keep the figure alive and look for a display
    from matplotlib.ticker import MaxNLocator

    epochs = range(1, len(history) + 1)
    best = min(_finite(history), key=_valid, default=None)
    marker = "o" if len(history) <= _MOST_MARKERS else ""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = loss, accuracy, rate = figure.subplots(1, 3)

    def line(axis: Any, column: str, colour: str, label: str = "") -> None:
        values = [float(row[column]) for row in history]
        axis.plot(epochs, values, marker=marker, markersize=3.5, color=_COLOURS[colour], label=label)

    line(loss, "train_loss", "train", "training")
    line(loss, "valid_loss", "valid", "validation")
    line(accuracy, "valid_accuracy", "valid")
    rate.step(epochs, [float(row["lr"]) for row in history], where="mid", color=_COLOURS["rate"])
    loss.set(ylim=(0, None))
    accuracy.set(ylim=(0, 1))
    rate.set(yscale="log")
    titles = ("Loss (cross-entropy, nats)", "Validation accuracy", "Learning rate of the head")
    for axis, title in zip(axes, titles, strict=True):
        axis.set_title(title, pad=16)  # the phases' names stand below it
        _shade_phases(axis, history)
        axis.set(xlabel="epoch", xlim=(0.5, len(history) + 0.5))
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    if best is not None:
        at = list(history).index(best) + 1
        text = f"best: epoch {best['epoch']} of {best['phase']}, {_valid(best):.4f}"
        star = {"marker": "*", "linestyle": "", "markersize": 14, "color": _COLOURS["best"], "zorder": 5}
        loss.plot(at, _valid(best), label=text, **star)
        accuracy.plot(at, float(best["valid_accuracy"]), **star)
    loss.legend(frameon=False, fontsize=9)
    figure.supxlabel(textwrap.fill(verdict(history), 150), fontsize=10)
    files.write_bytes(path, as_png(figure))


def _shade_phases(axis: Any, history: History) -> None:
    """A ground and a name for each phase."""
    start = 0
    for number, (name, rows) in enumerate(groupby(history, key=lambda row: row["phase"])):
        end = start + len(list(rows))
        axis.axvspan(start + 0.5, end + 0.5, color=_SHADES[number % len(_SHADES)], zorder=0, linewidth=0)
        axis.annotate(
            name, ((start + end + 1) / 2, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", fontsize=8, color="#555555",
        )  # fmt: skip
        start = end
