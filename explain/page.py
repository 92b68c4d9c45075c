"""The page of an explanation: one file that needs no other, no network and no script; see `static_page.py`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..static_page import chart, document, facts, table
from .found import file_name
from .results import ExplainResult, LayerFound
from .words import about_part, interval, per_cent, silhouette

if TYPE_CHECKING:
    from fastcore.xml import FT

_STYLE = """
ul.plain { display: block; list-style: disc; padding-left: 1.25rem; margin-top: 0.5rem; color: var(--quiet); }
ul.plain li { margin-top: 0.2rem; overflow-wrap: anywhere; }
p strong { color: var(--ink); }
figure.narrow img { max-width: 46rem; min-width: 30rem; margin: 0 auto; }
@media print { figure.narrow img { max-width: 30rem; } }
"""
_MOST_IN_TABLE = 16  # classes of a confusion matrix that fits on a page as a table


class Picture(Protocol):
    """Name of a chart, title and alternative text -> figure."""

    def __call__(self, name: str, title: str, alt: str, *, is_narrow: bool = False) -> "FT": ...


def page(result: ExplainResult, matrix: np.ndarray, light: Mapping[str, bytes], dark: Mapping[str, bytes]) -> str:
    """The whole page.

    Parameters
    ----------
    matrix : counts, true classes in rows.
    light, dark : PNGs by the name of the chart.
    """

    def picture(name: str, title: str, alt: str, *, is_narrow: bool = False) -> "FT":
        figure = chart(title, light[name], dark[name], alt)
        if is_narrow:
            figure.attrs["class"] = f"{figure.attrs.get('class', '')} narrow"
        return figure

    parts: dict[str, Sequence[FT]] = {
        "Course": _course(result, picture, has_curves="curves" in light),
        "Layers": _layers(result, picture),
        "Mix-ups": _mix_ups(result, matrix, picture),
        "Classes": _classes(result, picture),
        "First filters": _filters(result, picture),
        "How this was made": _about(result),
    }
    return document(
        f"{result.run} · birds explain", f"{result.run}: a look inside", *_opening(result), parts=parts, style=_STYLE
    )


def _opening(result: ExplainResult) -> list["FT"]:
    from fasthtml.components import P, Strong

    values = {
        "accuracy": per_cent(result.accuracy),
        "95% interval": interval(result.accuracy_interval),
        f"pictures of {result.part}": f"{result.n:,}" if result.n == result.of else f"{result.n:,} of {result.of:,}",
        "classes": f"{len(result.per_class):,}",
        **{f"silhouette, {one.asked}": silhouette(one.silhouette) for one in result.layers},
    }
    return [P(Strong(result.verdict.in_words)), P(about_part(result)), facts(values)]


def _course(result: ExplainResult, picture: Picture, *, has_curves: bool) -> list["FT"]:
    from fasthtml.components import P

    alt = f"Loss, validation accuracy and learning rate by epoch. {result.verdict.in_words}"
    figure = [picture("curves", "Learning curves", alt)] if has_curves else []
    return [
        P(f"In a word: {result.verdict.kind}."),
        *figure,
        P(
            "Training loss is measured on augmented pictures, with dropout, and may lie above validation loss in a "
            "healthy run. What is judged is the phase that the best epoch belongs to; docs/explaining.md has the rules."
        ),
    ]


def _layers(result: ExplainResult, picture: Picture) -> list["FT"]:
    from fasthtml.components import H3, P

    content = [
        P(
            "Each mark is a picture; pictures that a layer finds alike lie near each other (t-SNE of what it gives "
            "out, averaged over places). Only neighbourhood means something: neither the distance between islands nor "
            "their size does. Rings are mistakes. The last layer is what the head decides by, the middle one the step "
            "halfway there."
        ),
        P(
            "The silhouette says the same in a number, on all features of the layer, by Euclidean distances: near 1 "
            "where every picture lies close to its own class and far from the others, 0 where classes overlap, below 0 "
            "where most lie closer to another class."
        ),
    ]
    for one in result.layers:
        content.append(H3(_title(one)))
        if one.is_mapped:
            alt = f"Map of {result.n} pictures by layer {one.layer}, classes by shape and colour, mistakes ringed."
            content.append(picture(file_name(one), f"Map of {one.layer}", alt))
        else:
            content.append(P("No map: there are fewer than eight pictures, or the layer says the same of all of them."))
    rows = [
        (label, *(silhouette(one.silhouette_per_class.get(label)) for one in result.layers))
        for label in result.per_class
    ]
    total = ("all", *(silhouette(one.silhouette) for one in result.layers))
    titles = ("silhouette", *(one.asked for one in result.layers))
    return [*content, table("Silhouettes", titles, rows, total)]


def _title(one: LayerFound) -> str:
    name = one.layer if one.asked == one.layer else f"{one.asked}: {one.layer}"
    return f"{name} ({one.kind}, {' x '.join(map(str, one.shape))}), silhouette {silhouette(one.silhouette)}"


def _mix_ups(result: ExplainResult, matrix: np.ndarray, picture: Picture) -> list["FT"]:
    from fasthtml.components import Li, P, Ul

    alt = f"Confusion matrix: {int(matrix.trace())} of {int(matrix.sum())} pictures lie on its diagonal."
    content = [
        P("A row is what the pictures show, a column what they were taken for. What is off the diagonal is wrong."),
        picture("confusion", "Confusion matrix", alt, is_narrow=len(matrix) <= _MOST_IN_TABLE),
    ]
    if result.most_confused:
        content += [P("Most often confused:"), Ul(*(Li(one.in_words) for one in result.most_confused), cls="plain")]
    else:
        content.append(P("Nothing was confused with anything."))
    if len(matrix) <= _MOST_IN_TABLE:
        labels = list(result.per_class)
        rows = [
            (label, *(f"{n:,}" if n else "·" for n in row)) for label, row in zip(labels, matrix.tolist(), strict=True)
        ]
        content.append(table("Confusion matrix as numbers", ("shows ↓ taken for →", *labels), rows))
    return content


def _classes(result: ExplainResult, picture: Picture) -> list["FT"]:
    from fasthtml.components import P

    rows = [
        (
            label,
            f"{one['n']:,}",
            per_cent(one["recall"]),
            interval(one["recall_interval"]) if one["n"] else "–",
            per_cent(one["precision"]),
        )
        for label, one in result.per_class.items()
    ]
    titles = ("class", "pictures", "recognised (accuracy)", "95% interval", "right when it says so (precision)")
    return [
        P("Pictures of each class that were recognised, with Wilson's 95% interval; there is none below 20 pictures."),
        picture("classes", "Accuracy of each class", "Share recognised of each class; numbers in the table below."),
        table("Classes", titles, rows),
    ]  # fmt: skip


def _filters(result: ExplainResult, picture: Picture) -> list["FT"]:
    from fasthtml.components import P

    found = result.filters
    if found is None:
        return [P("This network does not begin with filters of several pixels on colours: there is nothing to show.")]
    text = (
        "What the first layer looks for: each square is a filter, mid grey where it takes no notice, bright or "
        "coloured where that colour speaks for it, dark where it speaks against. Each has its own scale."
    )
    quiet = f" {found.silent} of {found.n} are all but zero." if found.silent else ""
    some = f" Shown are the {found.shown} strongest of {found.n}, the strongest first." if found.shown < found.n else ""
    alt = f"{found.shown} filters of {found.layer} as small pictures."
    return [P(text + some + quiet), picture("filters", "First filters", alt, is_narrow=found.shown <= 32)]


def _about(result: ExplainResult) -> list["FT"]:
    from fasthtml.components import P

    some = (
        f"Of {result.of:,} pictures {result.n + len(result.skipped):,} were drawn with seed {result.seed}."
        if result.n + len(result.skipped) < result.of
        else "Every picture was looked at."
    )
    reasons = sorted(set(result.skipped.values()))
    counts = ", ".join(f"{list(result.skipped.values()).count(one):,} {one.replace('_', ' ')}" for one in reasons)
    left_out = f" Not looked at: {counts}; skipped.csv names them." if counts else ""
    return [
        P(f"{about_part(result)} {some}{left_out}"),
        P(
            f"Maps by t-SNE on 50 principal components, seed {result.seed}. Where the network judges by a picture and "
            "its mirror image, a layer's output is the mean of both."
        ),
        P("Every picture here lies as PNG and every table as CSV in the folder of this page."),
    ]
