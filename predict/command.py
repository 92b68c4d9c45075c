"""``birds predict``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag


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
    from .stage import predict as predict_pictures

    console = Console(as_json=as_json, quiet=quiet)
    result = predict_pictures(project, pictures, model, top=top, progress=console)
    for file, why in result.failed.items():
        console.note(f"Skipped {file}: {why}")
    rows = [(p.file, ", ".join(f"{label} {share:.3f}" for label, share in p.top)) for p in result.predictions]
    console.result(result, table=(("picture", "most probable"), rows))
