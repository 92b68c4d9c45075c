"""The table of a comparison: its rows, as CSV and as horizontal bars."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..drawing import as_png
from ..tables import as_csv


@dataclass(frozen=True)
class Entry:
    """A row of the table. Losses are cross-entropy in nats, intervals Wilson's at 95%.

    With several ``runs``, one a seed, figures are means and a spread is the sample standard deviation; it is None for a
    single run. The interval tells how far the number of pictures lets the accuracy be known, the spread what the seed
    does.
    """

    runs: list[str]
    arch: str
    weights: str
    valid_loss: float
    valid_loss_spread: float | None
    valid_accuracy: float
    valid_accuracy_spread: float | None
    valid_accuracy_interval: tuple[float, float]
    seconds: float
    million_parameters: float | None
    test_loss: float | None = None
    test_accuracy: float | None = None
    test_accuracy_interval: tuple[float, float] | None = None


def table_as_csv(ranking: Sequence[Entry], *, final: bool) -> str:
    """One row an entry; without `final` there are no columns of the test set."""
    rows = [columns_of(entry, final=final) for entry in ranking]
    return as_csv(list(rows[0]), [list(row.values()) for row in rows])


def columns_of(entry: Entry, *, final: bool) -> dict[str, Any]:
    """The cells of a row by column; an interval is two."""
    row: dict[str, Any] = {}
    for name, value in asdict(entry).items():
        if name.startswith("test_") and not final:
            continue
        if name.endswith("_interval"):
            low, high = value or (None, None)
            row[f"{name.removesuffix('interval')}low"], row[f"{name.removesuffix('interval')}high"] = low, high
        else:
            row[name] = " ".join(value) if name == "runs" else value
    return row


def draw_table(ranking: Sequence[Entry], pictures: int, path: Path) -> None:
    """A PNG of validation loss (with the spread over seeds, where there are several) and accuracy (with its interval).

    Parameters
    ----------
    pictures : number of validation pictures.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot would keep the figure alive and look for a display

    figure = Figure(figsize=(11, 1.6 + 0.5 * len(ranking)), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy = figure.subplots(1, 2, sharey=True)
    places = range(len(ranking))
    errors = {"ecolor": "#333333", "capsize": 3}
    losses = [entry.valid_loss for entry in ranking]
    spreads = [entry.valid_loss_spread or 0 for entry in ranking]
    loss.barh(places, losses, xerr=spreads if any(spreads) else None, color="#7fb0d6", error_kw=errors, height=0.6)
    shares = [entry.valid_accuracy for entry in ranking]
    low, high = zip(*(entry.valid_accuracy_interval for entry in ranking), strict=True)
    reach = (  # at 0 and at 1 rounding may leave a bound on the wrong side by 1e-17, which matplotlib refuses
        [max(0.0, share - bound) for share, bound in zip(shares, low, strict=True)],
        [max(0.0, bound - share) for share, bound in zip(shares, high, strict=True)],
    )
    accuracy.barh(places, shares, xerr=reach, color="#b9d6b0", error_kw=errors, height=0.6)
    loss.set_yticks(places, [_label(entry) for entry in ranking], parse_math=False)
    loss.invert_yaxis()
    with_spread = "; lines: spread over seeds" if any(spreads) else ""
    loss.set_title(f"Validation loss (nats{with_spread})", fontsize=11)
    accuracy.set_title(f"Validation accuracy, 95% interval for {pictures} pictures", fontsize=11)
    accuracy.set_xlim(0, 1)
    for axis, values, digits in ((loss, losses, 3), (accuracy, shares, 3)):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="x", alpha=0.25)
        for place, value in enumerate(values):
            axis.text(0, place, f" {value:.{digits}f}", va="center", ha="left", fontsize=9)
    files.write_bytes(path, as_png(figure))


def _label(entry: Entry) -> str:
    """The architecture, and what tells its run from others of the same."""
    return f"{entry.arch}\n{entry.runs[0]}" if len(entry.runs) == 1 else f"{entry.arch}\n{len(entry.runs)} seeds"
