"""``birds export``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag


def export(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Name of a run. Default: the newest.")] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Only these, with commas between: fastai (export.pkl), safetensors, onnx.",
            metavar="FORMATS",
            show_default="all",
        ),
    ] = None,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Export a trained run as runs/NAME/bundle/, a model one can hand over.

    It holds model.onnx, model.safetensors, export.pkl (which fastai's load_learner opens), model.json with classes,
    figures and digests, and MODEL_CARD.md.

    Example: birds export
    """
    from ..models.bundle import FORMATS
    from .stage import export as export_model

    console = Console(as_json=as_json, quiet=quiet)
    chosen = tuple(FORMATS) if formats is None else tuple(name.strip() for name in formats.split(",") if name.strip())
    result = export_model(project, run, formats=chosen, progress=console)
    parity = "not checked: no pictures" if result.parity is None else f"probabilities agree to {result.parity:.1e}"
    console.result(result, f"Exported to {result.bundle} ({parity}). Next: birds evaluate")
