"""``birds export``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag


def export(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="Name of a run. Default: the newest.")] = None,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Export a trained run as runs/NAME/bundle/export.pkl, which fastai's load_learner opens.

    Example: birds export
    """
    from .stage import export as export_model

    console = Console(as_json=as_json, quiet=quiet)
    result = export_model(project, run, progress=console)
    parity = "not checked: no dataset" if result.parity is None else f"probabilities agree to {result.parity:.1e}"
    console.result(result, f"Exported to {result.bundle} ({parity}). Next: birds evaluate")
