"""The report: one page that needs no other file, no network and no script; see `static_page.py`.

Whoever reads it need not know the terms: each stands beside what it means, with the number of pictures it is made of
and how many of these a person has looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..models.manifest import Manifest
from ..static_page import chart, document, facts, table
from . import sections
from .explain import Shown
from .results import HEAD, EvaluateResult
from .words import FIGURES, in_short, interval, per_cent, reviewed, shown

if TYPE_CHECKING:
    from fastcore.xml import FT

_STYLE = """
.warnings { margin-top: 1.25rem; padding: 0.75rem 1rem; border-left: 4px solid #b04a00; background: var(--surface); }
.warnings p { margin: 0; color: var(--ink); } .warnings p + p { margin-top: 0.5rem; }
td.words { white-space: normal; min-width: 16rem; }
ul.plain { display: block; list-style: disc; padding-left: 1.25rem; margin-top: 0.5rem; color: var(--quiet); }
ul.plain li { margin-top: 0.2rem; overflow-wrap: anywhere; }
ul.plain strong { color: var(--ink); }
figure.narrow img { max-width: 46rem; min-width: 30rem; margin: 0 auto; }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
.mistakes { margin-top: 0.75rem; }
.mistakes figure { border: 1px solid var(--line); border-radius: 10px; background: var(--surface); padding: 0.75rem; }
.mistakes .pair { display: flex; gap: 0.5rem; }
.mistakes img { display: block; width: 50%; flex: 1 1 0; min-width: 0; height: 8.5rem; object-fit: contain; }
figcaption { font-size: 0.875rem; margin-top: 0.5rem; color: var(--quiet); overflow-wrap: anywhere; }
figcaption strong { color: var(--ink); }
figcaption small { display: block; font-size: 0.75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1.25rem; margin: 0.75rem 0 0; }
dl, dl + p { font-size: 0.9rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) {
  dl { grid-template-columns: 1fr; } dt { margin-top: 0.4rem; } .mistakes { grid-template-columns: 1fr; }
}
@media print {
  figure.narrow img { max-width: 30rem; } .mistakes { grid-template-columns: 1fr 1fr; } td.words { min-width: 0; }
  .mistakes img { height: 6.5rem; } a { color: inherit; text-decoration: none; }
}
"""


@dataclass(frozen=True)
class Pictures:
    """PNGs by the name of the chart, for a light and for a dark page; and the worst mistakes."""

    light: Mapping[str, bytes]
    dark: Mapping[str, bytes]
    mistakes: Sequence[Shown]

    def chart(self, name: str, title: str, alt: str) -> "FT":
        return chart(title, self.light[name], self.dark[name], alt)


def page(
    result: EvaluateResult,
    manifest: Manifest,
    pictures: Pictures,
    others: Mapping[str, EvaluateResult],
    matrix: np.ndarray,
) -> str:
    """The whole page.

    Parameters
    ----------
    others : results of other phases of the run.
    matrix : counts, true classes in rows.
    """
    title = manifest.training.get("run") or manifest.architecture
    if result.phase == HEAD:
        title += " after phase 1"
    parts: dict[str, Sequence[FT]] = {
        "How good it is": _how_good(result, others),
        "Classes": sections.classes(result, pictures.chart),
        "Mix-ups": sections.mix_ups(result, pictures.chart, matrix),
        "How sure it is": sections.sureness(result.calibration, result.n, pictures.chart),
        "When it says unsure": sections.unsure(result.coverage, pictures.chart),
        "Worst mistakes": sections.mistakes(pictures.mistakes, result),
    }
    if "map" in pictures.light:
        parts["Map of the pictures"] = sections.feature_map(result, pictures.chart)
    parts["How this was measured"] = sections.about(result, manifest)
    return document(
        f"{title} · birds report", f"{title}: how well it knows its birds", *_opening(result), parts=parts, style=_STYLE
    )


def _opening(result: EvaluateResult) -> list["FT"]:
    from fasthtml.components import Div, P

    values = {
        "accuracy": per_cent(result.accuracy),
        "pictures it was tested on": f"{result.n:,}",
        "classes": f"{len(result.per_class):,}",
        "of them checked by a person": reviewed(result.reviewed_share),
        f"answered ('unsure' below {result.coverage.threshold:.2f})": per_cent(result.coverage.answered / result.n),
        "of the answers right": per_cent(result.coverage.accuracy),
    }
    opening = [P(in_short(result)), facts(values)]
    if result.warnings:
        opening.append(Div(*map(P, result.warnings), cls="warnings", role="note", aria_label="Warnings"))
    return opening


def _how_good(result: EvaluateResult, others: Mapping[str, EvaluateResult]) -> list["FT"]:
    from fasthtml.components import P

    rows = [
        (
            FIGURES[name][0],
            shown(name, figure.value),
            interval(name, figure),
            f"{figure.n:,}",
            reviewed(figure.reviewed_share),
            FIGURES[name][1],
        )
        for name, figure in sorted(result.figures.items(), key=lambda item: list(FIGURES).index(item[0]))
    ]
    titles = ("", "value", "95% interval", "pictures", "checked by a person", "in plain words")
    content = [
        P(
            "A test on other pictures would give other figures: the interval says how far they would likely be off. "
            "The fewer the pictures, the wider it is; below 20 there is none."
        ),
        table("Figures of the test", titles, rows, words=("in plain words",)),
    ]
    versions = {**others}
    if others:
        versions["final"] = result
    if result.corrected:
        versions = {**versions, "as it was split": result, "with later corrections": result.corrected}
    if versions:
        content += _side_by_side(versions, corrected=result.corrected is not None)
    return content


def _side_by_side(versions: Mapping[str, EvaluateResult], *, corrected: bool) -> list["FT"]:
    from fasthtml.components import H3, P

    names = {"head": "after phase 1 (head)", "final": "after phase 2 (what was exported)"}
    rows = [
        (
            names.get(name, name),
            f"{one.n:,}",
            per_cent(one.accuracy),
            interval("accuracy", one.figures["accuracy"]),
            shown("loss", one.loss),
        )
        for name, one in versions.items()
    ]
    content = [H3("Side by side"), table("Side by side", ("", "pictures", "accuracy", "95% interval", "loss"), rows)]
    if corrected:
        text = (
            "Some test pictures were thrown out or relabelled after a model had been seen. Doing so makes figures look "
            "better whatever the reason, so the page is of the set as it was split; the corrected figures stand here."
        )
        content.insert(1, P(text))
    return content
