"""``birds explore``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import AcceptMissingFlag, Console, JsonFlag, ProjectDir, QuietFlag


def explore(
    seed: Annotated[int, typer.Option(min=0, help="Which pictures of each class are shown.")] = 5,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    accept_missing: AcceptMissingFlag = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Show what there is: sizes, class counts, a few pictures of each class, copies and flags; writes exploration/.

    Example: birds explore --open
    """
    import webbrowser

    from .stage import explore as explore_stage

    console = Console(as_json=as_json, quiet=quiet)
    result = explore_stage(project, seed=seed, accept_missing=accept_missing, progress=console)
    side, flags = result.shorter_side, ", ".join(f"{n} {reason}" for reason, n in result.flags.items())
    text = (
        f"{result.pictures} pictures in {len(result.classes)} classes"
        + (f"; shorter side {side.mean:.0f} ± {side.std:.0f} pixels" if side else "")
        + f".\nIdentical files: {result.copies['files']}; flagged by birds clean: {flags or 'none'}."
        + f"\nPage: {result.page}"
    )
    rows = [(label, n, result.rejected[label]) for label, n in result.classes.items()]
    console.result(result, text, table=(("class", "pictures", "rejected"), rows))
    if open_page:
        webbrowser.open(Path(result.page).resolve().as_uri())
