"""``birds split``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import AcceptMissingFlag, Console, JsonFlag, ProjectDir, QuietFlag


def split(
    ratio: Annotated[
        str | None,
        typer.Option(
            help="Train/val/test in per cent; 80/20 is without a test part.", show_default="as it was, else 70/15/15"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Same pictures, same seed, same first split.", show_default="as it was, else 5"),
    ] = None,
    plain: Annotated[
        bool | None,
        typer.Option("--plain", help="Every file, nothing grouped or left out, anew: what split-folders makes."),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="folder|COLUMN",
            help="Also keep together what --source folder:DIR brought from one folder, or what the record has the same "
            "value for: author, title, page_url, query, ...",
            show_default=False,
        ),
    ] = None,
    kfold: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="K", help="Also divide train and val into K folds; 0 for none.", show_default=False
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget which picture was in which part, and split anew.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Only report leaks in a dataset that any tool made. Nothing is written.",
            show_default=False,
        ),
    ] = None,
    accept_missing: AcceptMissingFlag = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Divide the accepted pictures into dataset/train, val and test. What belongs together stays on one side.

    The next time, new pictures are added and no other moves; settings that are not given stay too.

    Example: birds split --seed 5; and birds split --kfold 5; and birds split --check path/to/dataset
    """
    console = Console(as_json=as_json, quiet=quiet)
    if check is not None:
        _check_dataset(check, console)
        return
    from .stage import split as split_stage

    result = split_stage(
        project, ratio=ratio, seed=seed, plain=plain, group_by=group_by, kfold=kfold, fresh=fresh,
        accept_missing=accept_missing, progress=console,
    )  # fmt: skip
    left_out = ", ".join(f"{n} {reason}" for reason, n in result.left_out.items()) or "none"
    test = f"{result.test} test" if result.test else "no test part"
    added = f" {result.added} were added." if result.added else ""
    grouped = f"{result.groups} groups kept together; left out: {left_out}"
    if result.leaks is None:
        grouped = (
            f"Divided as the dataset came, near-duplicates too; left out: {left_out}.\n"
            "`birds split --check dataset` says which pictures of one part show what another's do"
        )
    elif result.test:
        grouped += f"; test pictures that show what a training picture shows: {result.leaks} (dataset/leaks.csv)"
    lines = [
        f"{result.train} train, {result.val} val, {test} in {result.classes} classes, seed {result.seed}.{added}",
        f"{grouped}.",
    ]
    if result.folds:
        lines.append(f"dataset/folds/ holds {result.folds} folds of train and val.")
    console.result(result, "\n".join([*lines, "Next: birds train"]))


def _check_dataset(folder: Path, console: Console) -> None:
    """What ``birds split --check`` prints; leaks are a result, not an error."""
    from .foreign import check

    found = check(folder, console)
    rows = [(leak.kind, leak.first, leak.second, ", ".join(leak.parts), ", ".join(leak.labels)) for leak in found.pairs]
    parts = ", ".join(f"{n} {part}" for part, n in found.parts.items())
    leaking = ", ".join(f"{n} of {part}" for part, n in found.leaking.items()) or "none"
    skipped = ", ".join(f"{n} {reason}" for reason, n in found.skipped.items()) or "none"
    text = (
        f"{parts}; not read: {skipped}.\nIn two parts: {found.exact} identical pairs, {found.near} near-duplicates. "
        f"Pictures that are in train too: {leaking}.\nUnder two labels: {found.label_conflicts} pairs."
    )
    titles = ("what", "picture", "and", "parts", "classes")
    console.result(found, text, table=(titles, rows) if rows else None)
