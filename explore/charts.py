"""The charts of `birds explore`, for a light and for a dark page; see `drawing.py` for their colours.

Nothing is told by colour alone, and numbers stand beside the bars. Names of classes come from disk and are shortened to
the room there is.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..drawing import LIGHT, Theme, as_png, new_figure, say, shortened
from ..images import MIN_SIDE
from ..reasons import Reason
from .counts import Counts, Flag, Overview

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 400  # classes in one chart; of more, the largest and the smallest half of this are drawn


def sizes_chart(sizes: "np.ndarray", theme: Theme = LIGHT) -> "Figure":
    """Width against height, and the shorter sides with their mean and spread.

    Parameters
    ----------
    sizes : width and height in pixels, int64 [n, 2].
    """
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    with new_figure(theme, height=4.4) as figure:
        left, right = figure.subplots(1, 2)
        if not len(sizes):
            for axis in (left, right):
                say(axis, "No picture could be measured.")
            return figure
        distinct, times = np.unique(sizes, axis=0, return_counts=True)
        low, high = _around(sizes)
        left.plot([low, high], [low, high], color=theme.ink, linestyle=":", alpha=0.6, zorder=0, label="square")
        left.scatter(
            distinct[:, 0], distinct[:, 1], s=10 * np.sqrt(times), color=theme.kept, alpha=0.6, linewidths=0,
            label="pictures; larger dots: several of one size",
        )  # fmt: skip
        _pixels(left, "x", low, high)
        _pixels(left, "y", low, high)
        left.set(xlabel="width, pixels", ylabel="height, pixels", title="Sizes")
        shorter = sizes.min(axis=1)
        mean, std = shorter.mean(), shorter.std()
        low, high = _around(shorter)
        right.hist(shorter, bins=np.geomspace(low, high, 32).tolist(), color=theme.kept)
        right.axvspan(max(mean - std, low), min(mean + std, high), color=theme.other, alpha=0.16, linewidth=0,
                      zorder=0, label=f"mean ± standard deviation {std:.0f}")  # fmt: skip
        right.axvline(mean, color=theme.other, linewidth=2, label=f"mean {mean:.0f}")
        right.axvline(np.median(shorter), color=theme.ink, linestyle="--", label=f"median {np.median(shorter):.0f}")
        if low <= MIN_SIDE:
            right.axvline(MIN_SIDE, color=theme.ink, linestyle=":", label=f"below {MIN_SIDE}: too small")
        _pixels(right, "x", low, high)
        right.yaxis.set_major_locator(MaxNLocator(integer=True))
        right.set(xlabel="shorter side, pixels", ylabel="pictures", title="Shorter sides")
        for axis in (left, right):
            axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, frameon=False)
            axis.grid(alpha=0.25)
    return figure


def classes_chart(classes: Mapping[str, Counts], theme: Theme = LIGHT) -> "Figure":
    """A bar a class, in the order given, kept pictures and rejected ones; in up to four columns."""
    labels = list(classes)
    left_out = len(labels) - MOST_BARS
    if left_out > 0:
        labels = labels[: MOST_BARS // 2] + labels[-MOST_BARS // 2 :]
    columns = min(4, 1 + (len(labels) - 1) // 40)
    rows = -(-len(labels) // columns)
    most = max(counts.pictures + counts.rejected for counts in classes.values())
    title = "Pictures of each class"
    if left_out > 0:
        title += f": the {MOST_BARS // 2} largest and the {MOST_BARS // 2} smallest of {len(classes):,}"
    with new_figure(theme, height=1.1 + 0.22 * rows) as figure:
        for column, axis in enumerate(figure.subplots(1, columns, squeeze=False)[0]):
            some = labels[column * rows : (column + 1) * rows]
            kept = [classes[label].pictures for label in some]
            rejected = [classes[label].rejected for label in some]
            texts = [f"{a:,} + {b:,}" if b else f"{a:,}" for a, b in zip(kept, rejected, strict=True)]
            axis.barh(range(len(some)), kept, color=theme.kept)
            edges = [0.8 if n else 0 for n in rejected]
            axis.barh(range(len(some)), rejected, left=kept, color=theme.ground, edgecolor=theme.other,
                      linewidth=edges, hatch="/////")  # fmt: skip
            _rows(axis, [shortened(label, 190 / columns**0.5) for label in some], rows)
            _numbers(axis, [a + b for a, b in zip(kept, rejected, strict=True)], texts, most)
        figure.suptitle(title, x=0.01, ha="left")
        if any(counts.rejected for counts in classes.values()):
            figure.legend(axis.containers, ["in images/", "rejected"], loc="outside lower left", ncols=2, frameon=False)
    return figure


def flags_chart(flags: Mapping[Reason, Flag], theme: Theme = LIGHT) -> "Figure":
    """A bar a reason for which pictures wait for a person."""
    with new_figure(theme, height=1.0 + 0.32 * max(len(flags), 2)) as figure:
        axis = figure.subplots()
        if not flags:
            say(axis, "birds clean has flagged no picture.")
            return figure
        pictures = [flag.pictures for flag in flags.values()]
        texts = [f"{f.pictures:,} (groups: {f.groups:,})" if f.groups else f"{f.pictures:,}" for f in flags.values()]
        axis.barh(range(len(flags)), pictures, color=theme.other)
        _rows(axis, [reason.replace("_", " ") for reason in flags], len(flags))
        _numbers(axis, pictures, texts, max(pictures))
        axis.set_title("Pictures flagged by birds clean")
    return figure


def charts(seen: Overview, theme: Theme) -> dict[str, bytes]:
    """PNGs by the names they have in the folder, without ``.png``."""
    return {
        "sizes": as_png(sizes_chart(seen.sizes, theme)),
        "classes": as_png(classes_chart(seen.classes, theme)),
        "flags": as_png(flags_chart(seen.flags, theme)),
    }


def _around(values: "np.ndarray") -> tuple[float, float]:
    """The ends of a logarithmic axis for `values`: a little beyond them, and far enough apart for round numbers."""
    low, high = float(values.min()) / 1.25, float(values.max()) * 1.25
    widened = max(1.0, (4 * low / high) ** 0.5)
    return low / widened, high * widened


def _pixels(axes: "Axes", which: str, low: float, high: float) -> None:
    """Make the x or y axis one of pixels from `low` to `high`: logarithmic, with plain numbers."""
    from matplotlib.ticker import NullLocator, StrMethodFormatter

    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis = axes.xaxis if which == "x" else axes.yaxis
    ratio = high / low
    steps = (1, 1.5, 2, 3, 5, 7) if ratio < 10 else (1, 2, 5) if ratio < 100 else (1, 3) if ratio < 1000 else (1,)
    ticks = [step * 10**power for power in range(6) for step in steps]
    axis.set_ticks([tick for tick in ticks if low <= tick <= high])
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_minor_locator(NullLocator())


def _rows(axis: "Axes", names: Sequence[str], rows: int) -> None:
    """Name the bars of `axis`, the first on top, with room for as many as `rows`."""
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(rows - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_xticks([])


def _numbers(axis: "Axes", ends: Sequence[int], texts: Sequence[str], most: int) -> None:
    """Write `texts` behind the `ends` of bars, the longest possible of which has the length `most`."""
    for row, (end, text) in enumerate(zip(ends, texts, strict=True)):
        axis.annotate(text, (end, row), xytext=(3, 0), textcoords="offset points", va="center")
    axis.set_xlim(0, most)  # the layout makes room for the numbers beyond it
