"""The table of a sweep as CSV, and the courses of all its trainings in one picture."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..drawing import as_png, new_figure, shortened
from ..models.verdict import History
from ..tables import as_csv
from .comparison_table import Entry, columns_of

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is too light on white; a marker for each as well
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_GREY = "#bbbbbb"  # for those after the best seven
_GIVEN_UP = 1.5  # times the loss of guessing: what lies above is cut off
_LEGEND_CHARACTERS, _LEGEND_POINTS = 40, 260  # width of a line in the legend


@dataclass(frozen=True)
class Row:
    """One training of a sweep.

    Attributes
    ----------
    setting : what was tried, by name; only what differs between the trainings. None is the default.
    entry : its figures; None where it ``failed``, which then says why.
    """

    setting: dict[str, Any]
    entry: Entry | None
    failed: str | None = None


def title_of(setting: Mapping[str, Any]) -> str:
    """In words, as on the command line: ``lr=0.1 batch-size=5``."""
    return " ".join(f"{name.replace('_', '-')}={in_words(value)}" for name, value in setting.items())


def in_words(value: Any) -> str:
    """A value of a setting as ``--vary`` takes it."""
    if value is None:
        return "default"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) or not isinstance(value, Sequence):
        return str(value)
    return "/".join(in_words(one) for one in value)


def sweep_as_csv(rows: Sequence[Row], varied: Sequence[str]) -> str:
    """A row a training, in that order; what failed has its reason and no figures."""
    is_final = any(row.entry and row.entry.test_loss is not None for row in rows)
    figures = [columns_of(row.entry, final=is_final) if row.entry else {} for row in rows]
    names = [name for name in next(filter(None, figures)) if name not in varied]
    cells = [
        [*(in_words(row.setting[name]) for name in varied), *(own.get(name) for name in names), row.failed]
        for row, own in zip(rows, figures, strict=True)
    ]
    return as_csv([*varied, *names, "failed"], cells)


def draw_courses(rows: Sequence[Row], histories: Sequence[History], classes: int, path: Path) -> None:
    """A PNG of validation loss and accuracy by epoch, of every training: the best in colours, the others in grey.

    Parameters
    ----------
    rows : best first.
    histories : of each of them, of one of its runs; empty where it failed.
    classes : of the dataset; guessing has a loss of their logarithm.
    """
    courses = [(row, history) for row, history in zip(rows, histories, strict=True) if row.entry and history]
    named = courses[: len(_COLOURS)]
    lines = sum(_label(row).count("\n") + 1 for row, _ in named)
    height = 4.2 + 0.2 * max(0, lines - 12)
    with new_figure(height=height, width=13) as figure:
        loss, accuracy = axes = figure.subplots(1, 2)
        for place in reversed(range(len(courses))):  # the best on top
            row, history = courses[place]
            is_named = place < len(_COLOURS)
            style = {
                "color": _COLOURS[place] if is_named else _GREY,
                "linewidth": 2.4 if place == 0 else 1.4 if is_named else 0.8,
                "zorder": 3 if is_named else 2,
            }
            epochs = range(1, len(history) + 1)
            losses = [float(one["valid_loss"]) for one in history]
            best = min(range(len(losses)), key=lambda i: losses[i] if math.isfinite(losses[i]) else math.inf)
            for axis, column in ((loss, "valid_loss"), (accuracy, "valid_accuracy")):
                axis.plot(
                    epochs,
                    [float(one[column]) for one in history],
                    marker=_MARKERS[place] if is_named else "",
                    markevery=[best],
                    markersize=9 if place == 0 else 7,
                    label=_label(row) if is_named and axis is loss else None,
                    **style,
                )
        longest = max(len(history) for _, history in courses)
        seen = [float(one["valid_loss"]) for _, history in courses for one in history if _is_finite(one)]
        top = max(min(max(seen), _GIVEN_UP * math.log(classes)), 1.2 * min(seen))
        margin = 0.06 * (top - min(seen)) or 0.1
        loss.set(ylim=(max(0.0, min(seen) - margin), top + margin))
        accuracy.set(ylim=(0, 1))
        loss.set_title("Validation loss (cross-entropy, nats)")
        accuracy.set_title("Validation accuracy")
        for axis in axes:
            axis.set(xlabel="epoch", xlim=(0.5, longest + 0.5))
            axis.xaxis.get_major_locator().set_params(integer=True)
            axis.grid(alpha=0.25)
        handles, labels = loss.get_legend_handles_labels()
        rest = [f"{len(courses) - len(named)} others in grey"] if len(courses) > len(named) else []
        rest += [f"{failed} failed" for failed in [len(rows) - len(courses)] if failed]
        figure.legend(
            handles[::-1],
            labels[::-1],
            loc="outside right upper",
            frameon=False,
            title="\n".join(["Best first; marked is the epoch that was kept", *rest]),
        )
        files.write_bytes(path, as_png(figure))


def _label(row: Row) -> str:
    assert row.entry is not None
    text = f"{title_of(row.setting)} ({row.entry.valid_loss:.3f})"
    return "\n".join(shortened(line, _LEGEND_POINTS) for line in textwrap.wrap(text, _LEGEND_CHARACTERS)[:3])


def _is_finite(row: Mapping[str, Any]) -> bool:
    return math.isfinite(float(row["valid_loss"]))
