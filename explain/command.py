"""``birds explain``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag

if TYPE_CHECKING:
    from .results import ExplainResult


def explain(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Name of a run. Default: the newest.")] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A layer to map: its name, last or middle. May be repeated.",
            show_default="last and middle",
        ),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="List the names of the layers and do nothing else.")] = False,
    part: Annotated[
        str, typer.Option(help="Which pictures: val, test or train. Leave test alone until you are done.")
    ] = "val",
    pairs: Annotated[int, typer.Option(min=1, help="How many of the most confused pairs are told.")] = 10,
    sample: Annotated[int, typer.Option(min=8, help="Of more pictures than these, so many are drawn.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of that draw and of the maps.")] = 5,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Look inside a trained network: maps of its layers, mix-ups, classes, first filters, and how training went.

    Example: birds explain --layer last --layer body.layer2.0 --open
    """
    import webbrowser

    from .stage import ASKED_LAST, ASKED_MIDDLE, list_layers
    from .stage import explain as explain_run

    console = Console(as_json=as_json, quiet=quiet)
    if layers:
        found = list_layers(project, run)
        marks = {found.middle: "middle", found.last: "last"}
        rows = [(one.name, one.kind, " x ".join(map(str, one.shape)), marks.get(one.name, "")) for one in found.layers]
        console.result(found, table=(("layer", "kind", "output", ""), rows))
        return
    result = explain_run(
        project, run, layers=layer or (ASKED_LAST, ASKED_MIDDLE), part=part, pairs=pairs, most=sample, seed=seed,
        progress=console,
    )  # fmt: skip
    rows = [
        (label, one["n"], _share(one["recall"]), _interval(one["recall_interval"]))
        for label, one in result.per_class.items()
    ]
    console.result(result, _summary(result), table=(("class", "pictures", "accuracy", "95% interval"), rows))
    if open_page:
        webbrowser.open(Path(result.page).resolve().as_uri())


def _summary(result: "ExplainResult") -> str:
    from .words import about_part, silhouette

    right = round(result.accuracy * result.n)
    some = "" if result.n == result.of else f" (of {result.of:,})"
    lines = [
        f"Run {result.run}, {result.n:,} pictures of {result.part}{some}: {right:,} right, {result.accuracy:.1%}"
        + (f", 95% interval {_interval(result.accuracy_interval)}." if result.accuracy_interval else "."),
        about_part(result),
        f"Course: {result.verdict.in_words}",
        *(
            f"Layer {one.asked}" + ("" if one.asked == one.layer else f" ({one.layer})")
            + f": silhouette {silhouette(one.silhouette)} of {one.features} features, {one.metric} distances"
            for one in result.layers
        ),
    ]  # fmt: skip
    if result.most_confused:
        lines.append("Most confused: " + "; ".join(pair.in_words for pair in result.most_confused) + ".")
    if result.skipped:
        lines.append(f"Not looked at: {len(result.skipped)} pictures; skipped.csv names them.")
    return "\n".join([*lines, f"Page: {result.page}"])


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(value: tuple[float, float] | None) -> str:
    return "-" if value is None else f"{value[0]:.3f} to {value[1]:.3f}"
