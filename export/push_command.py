"""``birds push``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag


def push(
    repo: Annotated[str, typer.Argument(metavar="REPO", help="OWNER/NAME on the Hub; made if there is none.")],
    run: Annotated[str | None, typer.Option(help="Name of a run. Default: the newest.", metavar="RUN")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go up; the network is not touched.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private; one that is public already is refused.")
    ] = False,
    with_pickle: Annotated[
        bool, typer.Option("--with-pickle", help="Upload export.pkl too. Whoever opens it runs its code.")
    ] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Publish an exported model on the Hugging Face Hub, with its card, in one commit.

    Anybody can see a repository that is not private. Log in before with `hf auth login`, or set HF_TOKEN.
    No picture goes up, and no pickle unless you ask for it.

    Example: birds push maria/storks --dry-run
    """
    from .hub import push as push_bundle

    console = Console(as_json=as_json, quiet=quiet)
    bars = sys.stderr.isatty() and not quiet
    result = push_bundle(
        project, repo, run, with_pickle=with_pickle, private=private, dry_run=dry_run, show_bars=bars, progress=console
    )
    verb = "would go up" if result.is_dry_run else "uploaded"
    rows = [(name, f"{size / 1e6:.3f}", verb) for name, size in result.uploaded.items()]
    rows += [(name, "-", f"left out: {why}") for name, why in result.left_out.items()]
    rows += [(name, "-", "removed: of an earlier push") for name in result.removed]
    text = f"Published: {result.url}"
    if result.is_dry_run:
        text = f"Nothing was uploaded. Without --dry-run it goes to {result.repo}."
    console.result(result, text, table=(("file", "MB", ""), rows))
