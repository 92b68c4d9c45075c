"""``birds predict``."""

from pathlib import Path
from typing import Annotated

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag

_MOST_IN_TABLE = 200  # pictures; a table is laid out as a whole
_MOST_NOTES = 20


def predict(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE",
            help="Files, folders, patterns like 'photos/**/*.jpg', web addresses; - for a picture on standard input.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="A bundle, a run's name, or a file .onnx, .safetensors, .pkl. Default: the newest run.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Classes to give for each picture.")] = 3,
    engine: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="torch, onnx or openvino; auto is onnx for one picture, for many what is fastest on this machine.",
        ),
    ] = "auto",
    tta: Annotated[bool, typer.Option("--tta", help="Average over each picture and its mirror image.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write pictures of where the network looked (Grad-CAM) into this folder."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a table for spreadsheets, too.")] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="A private address that pictures may come from. May be repeated."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Open an export.pkl from elsewhere. It can run any code on this computer.")
    ] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Say which bird is on a picture, with the model's calibrated confidence; 'unsure' where that is too low.

    A picture that cannot be read is named and does not stop the others.

    Example: birds predict photo.jpg
    """
    from .. import files
    from . import answers
    from .stage import predict as predict_pictures

    if csv and csv.is_dir():
        raise typer.BadParameter(f"{csv} is a folder.", param_hint="--csv")
    if csv:
        csv.parent.mkdir(parents=True, exist_ok=True)  # said now, where it cannot be, and not after 20,000 pictures
    console = Console(as_json=as_json, quiet=quiet)
    result = predict_pictures(
        project,
        pictures,
        model,
        top=top,
        engine=engine,
        tta=tta,
        explain=explain,
        trust=trust,
        allow_hosts=allow_host or (),
        progress=console,
    )
    for file, why in list(result.failed.items())[:_MOST_NOTES]:
        console.note(f"Skipped {answers.printable(file)}: {why}")
    if len(result.failed) > _MOST_NOTES:
        console.note(f"Skipped {len(result.failed) - _MOST_NOTES} more; --json and --csv name all.")
    if csv:
        files.write_bytes(csv, answers.csv_table(result, top).encode("utf-8-sig"))  # by its mark, Excel sees UTF-8
        console.note(f"Written: {csv}")
    if explain:
        console.note(f"Where the network looked: {explain}")
    if as_json:
        for piece in answers.json_pieces(result):
            typer.echo(piece, nl=False)
        typer.echo()
        return
    if 1 < len(result.predictions) <= _MOST_IN_TABLE:
        console.table(("picture", "answer", "next"), [answers.in_words(one) for one in result.predictions])
        return
    for one in result.predictions:  # without a table's layout, which takes long to import and, for many, much memory
        file, said, others = answers.in_words(one)
        typer.echo(f"{file}: {said}" + (f" ({others})" if others else ""))
