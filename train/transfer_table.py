"""The table of ``birds transfer``: its rows, as CSV, beside a coursework report's, and as maps side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..drawing import as_png, new_figure, say
from ..evaluation.comparison import mcnemar_p
from ..models.charts import draw_map
from ..tables import as_csv

SCRATCH, SVM, FINE_TUNED, AUGMENTED = "scratch", "features + SVM", "fine-tuned", "fine-tuned, augmented"
WAYS = (SCRATCH, SVM, FINE_TUNED, AUGMENTED)
REPORT = {SCRATCH: 0.72, SVM: 0.905, FINE_TUNED: 0.91, AUGMENTED: 0.915}  # accuracy, on two classes of its own
_LIKELY = 0.05  # p below which a difference is taken for more than chance


@dataclass(frozen=True)
class Row:
    """One way to a classifier, judged on validation pictures. Intervals are Wilson's at 95%.

    Over folds every picture is judged once, by the network that was not trained on it: ``accuracy`` is that of all of
    them together, and ``spread`` its sample standard deviation between folds.

    Attributes
    ----------
    runs : names, one a fold; none of the SVM.
    accuracy : None where it ``failed``, which then says why.
    loss : cross-entropy in nats, the mean over the pictures; an SVM gives no probabilities and has none.
    c : of the SVM, one a fold.
    silhouette : of the validation pictures in the features that the way decides by (of the first fold); None where it
        is not defined.
    test_interval : None below 20 pictures.
    """

    way: str
    runs: list[str]
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    spread: float | None = None
    loss: float | None = None
    seconds: float | None = None
    c: list[float] | None = None
    silhouette: float | None = None
    test_accuracy: float | None = None
    test_interval: tuple[float, float] | None = None
    failed: str | None = None


@dataclass(frozen=True)
class Claim:
    """Something that the report found of two ways, and what was found here.

    Attributes
    ----------
    holds : whether the same way gets more pictures right here; None where they get equally many.
    p : two-sided, of McNemar's exact test: how likely a difference this large is if neither is better.
    """

    report: str
    holds: bool | None
    p: float
    in_words: str


@dataclass(frozen=True)
class Mapped:
    """Where one way puts the validation pictures: ``points`` [N, 2] or [0, 2], class indices and hits [N]."""

    points: np.ndarray
    truth: np.ndarray
    is_right: np.ndarray


def rows_as_csv(rows: Sequence[Row], *, final: bool) -> str:
    """A row a way; an interval is two columns, and without `final` there are none of the test set."""
    cells: list[dict[str, Any]] = []
    for row in rows:
        one: dict[str, Any] = {}
        for name, value in asdict(row).items():
            if name.startswith("test_") and not final:
                continue
            if name.endswith("interval"):
                one[f"{name}_low"], one[f"{name}_high"] = value or (None, None)
            else:
                one[name] = " ".join(map(str, value)) if isinstance(value, list) else value
        cells.append(one)
    return as_csv(list(cells[0]), [list(one.values()) for one in cells])


def against_report(rows: Sequence[Row], is_right: Mapping[str, np.ndarray]) -> list[Claim]:
    """What the report found of the four ways, beside what was found here.

    A difference may be chance where McNemar's exact test on the same pictures gives p of 0.05 or more.

    Parameters
    ----------
    is_right : way -> bool [N], of the same validation pictures. A claim about a way that is not there is left out.
    """
    accuracy = {row.way: row.accuracy for row in rows if row.accuracy is not None and row.way in is_right}
    if len(accuracy) < len(WAYS):
        return []
    lowest = min((way for way in WAYS if way != SCRATCH), key=lambda way: accuracy[way])
    best = max((way for way in WAYS if way != AUGMENTED), key=lambda way: accuracy[way])
    return [
        _claim(f"{SCRATCH} is lowest", lowest, SCRATCH, is_right),
        _claim(f"{SVM} is well above {SCRATCH}", SVM, SCRATCH, is_right),
        _claim(f"{AUGMENTED} is best", AUGMENTED, best, is_right),
    ]


def _claim(report: str, higher: str, lower: str, is_right: Mapping[str, np.ndarray]) -> Claim:
    """Whether `higher` gets more right than `lower`, as the report says."""
    n = len(is_right[higher])
    only_higher = int((is_right[higher] & ~is_right[lower]).sum())
    only_lower = int((is_right[lower] & ~is_right[higher]).sum())
    p = mcnemar_p(only_higher, only_lower)
    holds = None if only_higher == only_lower else only_higher > only_lower
    verdict = {True: "so it is here", False: "not so here", None: "here they are equal"}[holds]
    if holds is not None and p >= _LIKELY:
        verdict += ", but that may be chance"
    counts = f"of {n} pictures {higher} alone gets {only_higher} right, {lower} alone {only_lower}"
    return Claim(report, holds, p, f"In the report {report}; {verdict} ({counts}, p = {p:.2g}).")


def draw_maps(
    rows: Sequence[Row], maps: Mapping[str, Mapped], labels: Sequence[str], path: Path, *, part: str = ""
) -> None:
    """A PNG of the validation pictures as each way sees them, side by side.

    Parameters
    ----------
    part : which of several folds they are of.
    """
    named = min(len(labels) + 2, 14)
    columns = min(5, named)
    with new_figure(width=18, height=5.4 + 0.24 * -(-named // columns)) as figure:
        axes = figure.subplots(1, len(rows))
        for axis, row in zip(axes, rows, strict=True):
            laid = maps.get(row.way)
            if laid is None:
                say(axis, "failed")
            elif not len(laid.points):
                say(axis, "Too few pictures for a map.")
            else:
                draw_map(axis, laid.points, laid.truth, laid.is_right, labels)
            axis.set_title(_title(row))
            axis.spines[:].set(visible=True, color="#bbbbbb")  # else one map runs into the next
        figure.suptitle(f"Validation pictures by the features that each way decides by (t-SNE){part}", ha="center")
        marks = {
            label: handle for axis in axes for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        last = [name for name in ("other classes", "judged wrongly") if name in marks and name not in labels]
        shown = [name for name in marks if name not in last] + last
        figure.legend([marks[name] for name in shown], shown, loc="outside lower center", ncols=columns, frameon=False)
        files.write_bytes(path, as_png(figure))


def _title(row: Row) -> str:
    if row.accuracy is None:
        return row.way
    low, high = row.interval or (0, 1)
    second = "" if row.silhouette is None else f"\nsilhouette {row.silhouette:+.2f}"
    return f"{row.way}: {row.accuracy:.3f} ({low:.3f} to {high:.3f}){second}"
