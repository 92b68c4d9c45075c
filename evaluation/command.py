"""``birds evaluate`` and ``birds report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag

if TYPE_CHECKING:
    from .results import EvaluateResult

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="A bundle, a run's name, or a file .onnx, .safetensors or .pkl. Default: the newest finished run.",
    ),
]
DataOption = Annotated[
    Path | None, typer.Option(help="A folder of labelled folders. Default: dataset/test.", metavar="DIR")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", help="Which file of the bundle to judge: onnx, safetensors or fastai.", show_default="onnx"
    ),
]
TrustFlag = Annotated[
    bool, typer.Option("--trust", help="Open an export.pkl from elsewhere. It can run any code: know who made it.")
]


def evaluate(
    model: ModelArgument = None,
    data: DataOption = None,
    phase: Annotated[
        str, typer.Option(help="final is what was exported; head is the same network after phase 1; or both.")
    ] = "final",
    exported: FormatOption = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Judge two models on the same pictures instead, and test which is better."),
    ] = None,
    trust: TrustFlag = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Figures, tables and charts, but no page.")] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Say how good the exported model is, on the held-out test set it never saw; writes report.html.

    Example: birds evaluate
    """
    console = Console(as_json=as_json, quiet=quiet)
    if compare is not None:
        _compare(project, compare, data, exported, trust=trust, console=console)
        return
    from .stage import evaluate as evaluate_model

    result = evaluate_model(
        project, model, data=data, phase=phase, exported=exported, trust=trust, report=not no_report, progress=console
    )
    if as_json:
        console.result(result)
        return
    for name, one in (result.phases or {phase: result}).items():
        _print(console, name, one)
    for warning in result.warnings:
        console.note(f"Warning: {warning}")
    if result.report:
        typer.echo(f"Page: {result.report} (birds report opens it)")


def _print(console: Console, phase: str, one: "EvaluateResult") -> None:
    from .words import FIGURES, in_short, interval, shown

    rows = [
        (label, f["n"], _share(f["precision"]), _share(f["recall"]), _reviewed(f["reviewed_share"]))
        for label, f in one.per_class.items()
    ]
    console.table(("class", "pictures", "precision", "recall", "checked by a person"), rows)
    figures = [
        (
            FIGURES[name][0],
            shown(name, figure.value),
            interval(name, figure),
            figure.n,
            _reviewed(figure.reviewed_share),
        )
        for name, figure in one.figures.items()
    ]
    console.table(("figure", "value", "95% interval", "pictures", "checked by a person"), figures)
    text = f"After phase {phase}: {in_short(one)}\n"
    if one.most_confused:
        text += "Most confused: " + "; ".join(pair.in_words for pair in one.most_confused[:3]) + ".\n"
    sure = one.coverage
    text += f"Unsure below {sure.threshold:.2f}: {sure.answered} of {sure.n} answered, {_share(sure.accuracy)} right.\n"
    text += f"Confusion matrix: {one.confusion_matrix}"
    if better := one.corrected:
        text += (
            "\nThat is the test set as it was split. With what was decided about its pictures after a run was "
            f"finished: accuracy {better.accuracy:.3f}, loss {better.loss:.4f}, on {better.n} pictures."
        )
    typer.echo(text)


def _compare(
    project: Path, models: tuple[str, str], data: Path | None, exported: str | None, *, trust: bool, console: Console
) -> None:
    from .stage import compare_models

    result = compare_models(project, *models, data=data, exported=exported, trust=trust, progress=console)
    rows = [
        (side.model, f"{side.accuracy:.3f}", f"{side.loss:.4f}", len(side.only_right))
        for side in (result.first, result.second)
    ]
    for warning in result.warnings:
        console.note(f"Warning: {warning}")
    text = f"{result.in_words}\nThe pictures that one of them alone gets right: {result.csv}"
    console.result(result, text, table=(("model", "accuracy", "loss", "alone right"), rows))


def report(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Name of a run. Default: the newest.")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the page's path only.")] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Open the page with all of a run's figures; it is made first where there is none of this bundle and test set.

    Example: birds report
    """
    import webbrowser

    from .report import current_page

    console = Console(as_json=as_json, quiet=quiet)
    page = current_page(project, run, progress=console)
    console.result({"report": str(page)}, str(page))
    if not no_browser and not as_json:
        webbrowser.open(page.resolve().as_uri())


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _reviewed(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
