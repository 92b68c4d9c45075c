"""``birds clean``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..console import AcceptMissingFlag, Console, JsonFlag, ProjectDir, QuietFlag


def clean(
    auto: Annotated[
        bool,
        typer.Option("--auto", help="Reject unreadable files, copies and pictures under 64 pixels; open no page."),
    ] = False,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Look for wrong labels too, with a pretrained network: imagenet, or a file of weights.",
            show_default=False,
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(help="The network of these weights.", show_default="told from the file, else mobilenet_v2"),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHECK=NUMBER",
            help="Queue what a check scores below this, from 0 (nothing) to 1; again for another.",
            show_default=False,
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's address instead of opening it.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the review page; 0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address the review page listens at.")] = "127.0.0.1",
    is_public: Annotated[
        bool,
        typer.Option("--i-know-this-is-public", help="Let --host be an address that other machines can reach."),
    ] = False,
    accept_missing: AcceptMissingFlag = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Check the pictures, then show what waits for you on a local page, to be judged by keyboard or mouse.

    Nothing is deleted: rejected pictures rest in .birds/rejected and can come back.

    Example: birds clean --weights imagenet
    """
    from ..errors import UsageError
    from .checks import parse_thresholds
    from .stage import clean as clean_stage

    if arch and not weights:
        raise UsageError("--arch says which network the weights are of.", "Give --weights too: imagenet, or a file.")
    if not auto:
        from ..web import check_listening

        check_listening(host, port, allow_public=is_public)  # now, not after minutes of work
    console = Console(as_json=as_json, quiet=quiet)
    limits = parse_thresholds(threshold or ())
    result = clean_stage(
        project,
        auto=auto,
        thresholds=limits,
        weights=weights,
        arch=arch,
        accept_missing=accept_missing,
        progress=console,
    )
    if not auto:
        from .server import review

        # never quiet: without the address nobody gets in
        decided = review(
            project,
            port=port,
            host=host,
            allow_public=is_public,
            open_browser=not no_browser,
            progress=Console(as_json=as_json),
        )
        after = clean_stage(project, thresholds=limits, accept_missing=accept_missing, progress=console)
        result = replace(after, rejected=result.rejected)
        console.note(f"{decided} pictures decided on the page.")
    rows = [("rejected", reason, n) for reason, n in result.rejected.items()]
    rows += [("waits for a person", reason, n) for reason, n in result.queued.items()]
    text = f"{result.checked} pictures checked, {result.accepted} in images/. Next: birds split"
    if not weights and not quiet:
        text += "\nWrong labels were not looked for this time: give --weights imagenet, or a file of weights."
    console.result(result, text, table=(("what", "reason", "pictures"), rows) if rows else None)
