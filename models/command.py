"""``birds export``, ``evaluate`` and ``predict``."""

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


def export(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Name of a run. Default: the newest.")] = None,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Export a trained run as runs/NAME/bundle/export.pkl, which fastai's load_learner opens.

    Example: birds export
    """
    from .bundle import export as export_model

    console = Console(as_json=as_json, quiet=quiet)
    result = export_model(project, run, progress=console)
    parity = "not checked: no dataset" if result.parity is None else f"probabilities agree to {result.parity:.1e}"
    console.result(result, f"Exported to {result.bundle} ({parity}). Next: birds evaluate")


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
    from .evaluation import evaluate as evaluate_model

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


def predict(
    pictures: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Picture files.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="An export.pkl, a bundle, or a run's name. Default: the newest run."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes to give for each picture.")] = 3,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Say which bird is on a picture, with the model's confidence.

    An export.pkl is a pickle and runs code when opened: open only what you, or someone you trust, exported.

    Example: birds predict photo.jpg
    """
    from .prediction import predict as predict_pictures

    console = Console(as_json=as_json, quiet=quiet)
    result = predict_pictures(project, pictures, model, top=top, progress=console)
    for file, why in result.failed.items():
        console.note(f"Skipped {file}: {why}")
    rows = [(p.file, ", ".join(f"{label} {share:.3f}" for label, share in p.top)) for p in result.predictions]
    console.result(result, table=(("picture", "most probable"), rows))
