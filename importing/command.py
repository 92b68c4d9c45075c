"""``birds import``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import AcceptMissingFlag, Console, JsonFlag, ProjectDir, QuietFlag
from .formats import FORMATS


def import_(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="The dataset's folder; for pickle and csv, its file.")],
    format: Annotated[  # noqa: A002 - the name of the flag
        str, typer.Option(metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.", show_default=False)
    ],
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="N|NAME,...", help="The first N classes of the dataset, or some by name.", show_default="all"
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures a class, in each part, for a trial.", show_default="all"),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Draws what of train becomes validation, where the dataset has none for that."),
    ] = 5,
    licence: Annotated[
        str | None,
        typer.Option(help="Of all its pictures, for example CC-BY-SA-3.0.", show_default="unknown"),
    ] = None,
    accept_missing: AcceptMissingFlag = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Bring in a dataset that others made: CUB-200-2011, MNIST, CIFAR, a pickle, a table, a folder.

    Its pictures land in images/ and the record as if scraped; parts it came with are kept in dataset/. Give the command
    again after an interruption: nothing is imported twice.

    Example: birds import CUB_200_2011 --format cub200 --classes 20
    """
    console = Console(as_json=as_json, quiet=quiet)
    from .stage import import_dataset

    result = import_dataset(
        project, source, format=format, classes=classes, limit=limit, seed=seed, licence=licence,
        accept_missing=accept_missing, progress=console,
    )  # fmt: skip
    refused = ", ".join(f"{n} {reason}" for reason, n in result.refused.items()) or "none"
    lines = [
        f"{result.imported} pictures imported in {len(result.classes)} classes, {result.known} were there already; "
        f"refused: {refused}."
    ]
    if result.boxes:
        lines.append(f"{result.boxes} bounding boxes: .birds/bounding_boxes.csv")
    if any(result.parts.values()):
        parts = ", ".join(f"{n} {part}" for part, n in result.parts.items() if n)
        lines.append(f"Divided as the dataset came: {parts}.")
        lines.append("Next: birds train, or birds split --fresh to divide it anew")
    else:
        lines.append("Next: birds split")
    console.result(result, "\n".join(lines))
