"""The parts of the report, one function each."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..models.manifest import Manifest
from ..static_page import data_uri, table
from .explain import Shown
from .results import Calibration, Coverage, EvaluateResult, TopLoss
from .words import counted, number, per_cent, reviewed, share_interval, skipped_in_words

if TYPE_CHECKING:
    from fastcore.xml import FT

Chart = Callable[[str, str, str], "FT"]  # name, title and alternative text -> figure
_MOST_IN_TABLE = 16  # classes of a confusion matrix that fits on a page as a table
_MOST_NAMED = 40  # files
_LEVELS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)  # of confidence, in the table of coverage


def classes(result: EvaluateResult, chart: Chart) -> list["FT"]:
    """How well each class is recognised."""
    from fasthtml.components import P

    rows = [
        (
            label,
            f"{one['n']:,}",
            reviewed(one["reviewed_share"]) if one["n"] else "–",
            per_cent(one["recall"]),
            share_interval(one["recall_interval"]) if one["n"] else "–",
            per_cent(one["precision"]),
            number(one["f1"]),
        )
        for label, one in result.per_class.items()
    ]
    titles = (
        "class", "pictures", "checked by a person", "recognised (recall)", "95% interval",
        "right when it says so (precision)", "F1",
    )  # fmt: skip
    empty = [P(f"No picture here of: {', '.join(result.empty_classes)}.")] if result.empty_classes else []
    ranked = sorted((one["recall"], label) for label, one in result.per_class.items() if one["n"])
    (worst, worst_label), (best, best_label) = ranked[0], ranked[-1]
    alt = f"Share recognised of each class, from {worst_label} ({worst:.0%}) to {best_label} ({best:.0%})."
    return [
        P("Recall: of all pictures of a class, how many were recognised. Precision: of all it called by that name, how "
          "many were. F1 is high only where both are."),
        chart("classes", "Share recognised of each class", alt),
        table("Classes", titles, rows),
        *empty,
    ]  # fmt: skip


def mix_ups(result: EvaluateResult, chart: Chart, matrix: np.ndarray) -> list["FT"]:
    """What is taken for what."""
    from fasthtml.components import Li, P, Strong, Ul

    labels = list(result.per_class)
    alt = (
        f"Confusion matrix: {int(matrix.trace())} of {int(matrix.sum())} pictures lie on its diagonal, judged rightly."
    )
    content = [
        P("A row is what the pictures show, a column what they were taken for. What is off the diagonal is wrong.")
    ]
    figure = chart("confusion", "Confusion matrix", alt)
    if len(labels) <= _MOST_IN_TABLE:  # of more, names and numbers need the whole width
        figure.attrs["class"] = f"{figure.attrs.get('class', '')} narrow"
    content.append(figure)
    if result.most_confused:
        items = [
            Li(Strong(pair.true), f" taken for {pair.predicted}: {pair.n} of {pair.of}")
            for pair in result.most_confused
        ]
        content += [P("Most often confused:"), Ul(*items, cls="plain")]
    else:
        content.append(P("Nothing was confused with anything."))
    if len(labels) <= _MOST_IN_TABLE:
        rows = [
            (label, *(f"{n:,}" if n else "·" for n in row)) for label, row in zip(labels, matrix.tolist(), strict=True)
        ]
        content.append(table("Confusion matrix as numbers", ("shows ↓ taken for →", *labels), rows))
    return content


def sureness(found: Calibration, n: int, chart: Chart) -> list["FT"]:
    """Whether it is as often right as it is sure."""
    from fasthtml.components import P

    if found.temperature == 1:
        changed = "This model has no temperature (1): before and after are the same."
    else:
        softer = "less" if found.temperature > 1 else "more"
        changed = (
            f"The temperature {found.temperature:.2f}, found on the validation pictures, makes it sound {softer} sure "
            "and changes no answer. It is part of the exported model."
        )
    span = (
        f" (95% interval {number(found.ece_after_interval[0])} to {number(found.ece_after_interval[1])})"
        if found.ece_after_interval
        else ""
    )
    rows = [
        (
            f"{one.low:.2f} to {one.high:.2f}",
            f"{one.n:,}",
            per_cent(one.confidence),
            per_cent(one.accuracy),
            share_interval(one.interval),
        )
        for one in found.after
        if one.n
    ]
    errors = f"{number(found.ece_before)} before, {number(found.ece_after)} after"
    alt = f"Reliability diagrams around the temperature: calibration error {errors}."
    return [
        P("A confidence of 80% should mean: right in 80 of 100 such cases. Points on the dotted line do; below it the "
          "model is too sure of itself, above it too modest."),
        P(f"{changed} Calibration error (ECE, 15 bins): {errors}{span}, on {n:,} pictures. A perfectly calibrated "
          f"model would show {number(found.ece_by_chance)} on so few pictures by chance. Loss: "
          f"{number(found.loss_before)} before, {number(found.loss_after)} after."),
        chart("reliability", "Confidence and share right", alt),
        table("Confidence and share right, after the temperature",
              ("confidence", "pictures", "mean confidence", "right", "95% interval"), rows),
    ]  # fmt: skip


def unsure(found: Coverage, chart: Chart) -> list["FT"]:
    """What is gained by saying 'unsure'."""
    from fasthtml.components import P

    levels = sorted({*_LEVELS, found.threshold})
    rows = []
    for level in levels:
        share, accuracy = next(((share, right) for least, share, right in found.curve if least >= level), (0.0, None))
        mark = " (this model's)" if level == found.threshold else ""
        rows.append((f"{level:.2f}{mark}", per_cent(share), per_cent(accuracy)))
    figure = chart(
        "coverage", "Accuracy against share answered",
        f"Accuracy against the share of pictures answered; unsure below {found.threshold:.2f}, "
        f"{found.answered} of {found.n} are answered and {per_cent(found.accuracy)} of these rightly.",
    )  # fmt: skip
    figure.attrs["class"] = f"{figure.attrs.get('class', '')} narrow"
    spread = f" (95% interval {share_interval(found.interval)})" if found.interval else ""
    return [
        P(f"Below a confidence of {found.threshold:.2f} this model answers 'unsure', as chosen on the validation "
          f"pictures. Here it answers {found.answered:,} of {found.n:,} pictures, and {per_cent(found.accuracy)} of "
          f"these rightly{spread}."),
        figure,
        table("If it were unsure below another confidence", ("unsure below", "answered", "of these right"), rows),
    ]  # fmt: skip


def mistakes(shown: Sequence[Shown], result: EvaluateResult) -> list["FT"]:
    """The pictures on which it was most wrong, and where it looked."""
    from fasthtml.components import Div, P

    if not shown:
        return [P("It made no mistake on these pictures.")]
    wrong = result.n - round(result.accuracy * result.n)
    has_heat = any(one.heat for one in shown)
    which = f"Its {wrong:,} mistakes" if len(shown) == wrong else f"The {len(shown)} worst of {wrong:,} mistakes"
    text = f"{which}, the highest loss first. Look whether the label is right before you blame the model."
    if has_heat:
        text += (
            " Beside each picture, bright: where the network saw what it took it for (Grad-CAM). That shows where it "
            "looked, not why."
        )
    return [P(text), Div(*map(_mistake, shown), cls="mistakes")]


def _mistake(one: Shown) -> "FT":
    from fasthtml.components import Div, Figcaption, Figure, Img, Small, Strong

    about = one.about
    pictures = [Img(src=data_uri("jpeg", one.picture), alt=f"{about.label}, taken for {about.predicted}")]
    if one.heat:
        alt = f"The same picture, bright where the network saw {about.predicted}"
        pictures.append(Img(src=data_uri("jpeg", one.heat), alt=alt))
    return Figure(
        Div(*pictures, cls="pair"),
        Figcaption(
            Strong(about.label), " taken for ", Strong(about.predicted),
            f" at {about.confidence:.0%} (loss {about.loss:.2f})",
            Small(_short(about.file)), Small(*_source(about)),
        ),
    )  # fmt: skip


def _short(file: str) -> str:
    """Part, label and name: the rest of the path is of one machine."""
    return "/".join(Path(file).parts[-3:])


def _source(about: TopLoss) -> list["FT | str"]:
    from fasthtml.components import A

    if not about.url:
        return ["source not known"]
    return ["from ", A(about.url, href=about.url, rel="noopener noreferrer")]


def feature_map(result: EvaluateResult, chart: Chart) -> list["FT"]:
    """Pictures that look alike to the network, near each other."""
    from fasthtml.components import P

    alt = f"Map of {result.n:,} test pictures by their features, classes by shape and colour, mistakes ringed."
    return [
        P("Each mark is a picture; those that look alike to the network lie near each other (t-SNE of its features). "
          "Classes that form islands are easily told apart. Only neighbourhood means something: neither the distance "
          "between islands nor their size does."),
        chart("map", "Map of the pictures", alt),
    ]  # fmt: skip


def about(result: EvaluateResult, manifest: Manifest) -> list["FT"]:
    """What was judged by what, and what is to be known of it."""
    from fasthtml.components import H3, Dd, Dl, Dt, Li, P, Ul

    training = manifest.training
    overlap = result.overlap
    facts = {
        "Model": f"{manifest.architecture}, pictures of {manifest.preprocess.size} pixels, judged by {result.engine}",
        "Started from": str(training.get("weights") or "unknown"),
        "Exported": manifest.created_at or "unknown",
        "Trained on pictures from": counted(training.get("sources") or {}),
        "Their licences": counted(training.get("licences") or {}),
        "Of these checked by a person": reviewed(training.get("reviewed_share")),
        "Tested on": f"{result.n:,} pictures of {_short(result.data)}, in {result.groups:,} groups of like pictures",
        "Compared with the training pictures": f"{overlap.compared}: {len(overlap.exact)} and {len(overlap.near)} found"
        if not overlap.compared.startswith("nothing")
        else overlap.compared,
        "Intervals": "Wilson's for accuracy and recall; else the bootstrap over groups of near-duplicates, 2,000 draws",
        "Versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
        "Tables and charts": f"as CSV and PNG in {_short(next(iter(result.files.values()), ''))}".rpartition("/")[0],
    }
    content: list[FT] = [
        Dl(*(part for name, text in facts.items() for part in (Dt(name), Dd(text)))),
        P(skipped_in_words(result)),
    ]
    named = [f"{_short(file)}: {reason.replace('_', ' ')}" for file, reason in result.skipped_files.items()]
    named += [f"{_short(file)} is {known}" for file, known in (overlap.exact | overlap.near).items()]
    if named:
        more = [Li(f"and {len(named) - _MOST_NAMED:,} more")] if len(named) > _MOST_NAMED else []
        content += [H3("Files"), Ul(*map(Li, named[:_MOST_NAMED]), *more, cls="plain")]
    return content
