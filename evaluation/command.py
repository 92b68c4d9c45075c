"""``birds evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag

ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]", help="An export.pkl, a bundle, or a run's name. Default: the newest finished run."
    ),
]


def evaluate(
    model: ModelArgument = None,
    data: Annotated[
        Path | None, typer.Option(help="A folder of labelled folders. Default: dataset/test.", metavar="DIR")
    ] = None,
    phase: Annotated[
        str, typer.Option(help="final is what was exported; head is the same network after phase 1; or both.")
    ] = "final",
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Say how good the exported model is, on the held-out test set it never saw.

    An export.pkl is a pickle and runs code when opened: open only what you, or someone you trust, exported.

    Example: birds evaluate
    """
    from .stage import evaluate as evaluate_model

    console = Console(as_json=as_json, quiet=quiet)
    result = evaluate_model(project, model, data=data, phase=phase, progress=console)
    for name, one in (result.phases or {phase: result}).items():
        rows = [(label, f["n"], _share(f["precision"]), _share(f["recall"])) for label, f in one.per_class.items()]
        low, high = one.accuracy_interval
        text = (
            f"After phase {name}: accuracy {one.accuracy:.3f} (95% interval {low:.3f} to {high:.3f}), "
            f"loss {one.loss:.4f}, on {one.n} pictures.\nConfusion matrix: {one.confusion_matrix}"
        )
        if better := one.corrected:
            low, high = better.accuracy_interval
            text += (
                f"\nThat is the test set as it was split. With what was decided about its pictures after a run was "
                f"finished: accuracy {better.accuracy:.3f} ({low:.3f} to {high:.3f}), loss {better.loss:.4f}, on "
                f"{better.n} pictures."
            )
        if not as_json:
            console.result(one, text, table=(("class", "pictures", "precision", "recall"), rows))
    if as_json:
        console.result(result)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
