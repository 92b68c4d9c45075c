"""``birds clean``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import AcceptMissingFlag, Console, JsonFlag, ProjectDir, QuietFlag


def clean(
    auto: Annotated[
        bool,
        typer.Option("--auto", help="Reject unreadable files, copies and pictures under 64 pixels; open no page."),
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's address instead of opening it.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the review page; 0 takes a free one.")] = 0,
    accept_missing: AcceptMissingFlag = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Check the pictures, then show them on a local page where a click or a key rejects and restores.

    Nothing is deleted: rejected pictures rest in .birds/rejected and can come back.

    Example: birds clean --auto
    """
    from .stage import clean as clean_stage

    console = Console(as_json=as_json, quiet=quiet)
    result = clean_stage(project, auto=auto, accept_missing=accept_missing, progress=console)
    if not auto:
        from .server import review

        # never quiet: without the address nobody gets in
        review(project, port=port, open_browser=not no_browser, progress=Console(as_json=as_json))
        result = clean_stage(project, accept_missing=True, progress=console)  # what a person just decided, counted
    rows = [("rejected", reason, n) for reason, n in result.rejected.items()]
    rows += [("waits for a person", reason, n) for reason, n in result.queued.items()]
    text = f"{result.checked} pictures checked, {result.accepted} in images/. Next: birds split"
    console.result(result, text, table=(("what", "reason", "pictures"), rows) if rows else None)
