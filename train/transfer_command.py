"""``birds transfer``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import Console, JsonFlag, ProjectDir, QuietFlag
from .compare_command import BatchSize, Seed, Size, Weights, in_brackets, not_trained, plus_minus, settings_from

if TYPE_CHECKING:
    from .transfer import TransferResult
    from .transfer_table import Row


def transfer(
    arch: Annotated[
        str | None,
        typer.Option(help="A network with pretrained weights.", show_default="that of `birds train`"),
    ] = None,
    weights: Weights = None,
    epochs: Annotated[
        str | None, typer.Option(help="As in `birds train`: of the head, of all layers.", metavar="N[,N]")
    ] = None,
    scratch_epochs: Annotated[
        int | None, typer.Option(min=1, help="From scratch.", show_default="as `birds train --weights none`")
    ] = None,
    size: Size = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    folds: Annotated[
        bool, typer.Option("--folds", help="On each of the folds of `birds split --kfold 5`: every picture is judged.")
    ] = False,
    final: Annotated[
        bool, typer.Option("--final", help="Evaluate on the held-out test set too: once, when all is chosen.")
    ] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Train a network from scratch, its features + a linear SVM, fine-tuned, and fine-tuned on augmented pictures.

    One table with their accuracy on the validation pictures, and one picture of how each sees them. The other settings
    are those of [train] in birds.toml. Give the same command again after an interruption: it goes on.

    Example: birds transfer --arch resnet50
    """
    settings = settings_from(
        project, arch=arch, weights=weights, epochs=epochs, size=size, batch_size=batch_size, seed=seed
    )
    from .comparison import FINAL_NOTE  # torch and fastai: after the flags are known to be good
    from .transfer import transfer as transfer_stage

    console = Console(as_json=as_json, quiet=quiet)
    result = transfer_stage(
        project, folds=folds, scratch_epochs=scratch_epochs, final=final, progress=console, **settings
    )
    if final:
        console.note(FINAL_NOTE)
    failed = {row.way: row.failed for row in result.rows if row.failed}
    if not (failed and as_json):
        _print(console, result, final=final)
    if failed:
        raise not_trained(failed, result)


def _print(console: Console, result: "TransferResult", *, final: bool) -> None:
    titles = ["way", "accuracy (95% interval)", "loss", "silhouette", "seconds", "run"]
    titles += ["test accuracy (95% interval)"] if final else []
    over = f" in {result.folds} folds" if result.folds else ""
    lines = [f"Of {result.pictures} validation pictures{over}, on which epochs and C were chosen as well."]
    lines += [claim.in_words for claim in result.report]
    lines.append(f"Written to {result.csv} and {result.picture}.")
    console.result(result, "\n".join(lines), table=(titles, [_cells(row)[: len(titles)] for row in result.rows]))


def _cells(row: "Row") -> list[Any]:
    if row.accuracy is None:
        return [row.way, "failed", "-", "-", "-", "-", "-"]
    run = f"{len(row.runs)} folds" if len(row.runs) > 1 else row.runs[0] if row.runs else "-"
    return [
        row.way,
        f"{row.accuracy:.3f}{plus_minus(row.spread, 3)} {in_brackets(row.interval)}",
        "-" if row.loss is None else f"{row.loss:.4f}",
        "-" if row.silhouette is None else f"{row.silhouette:+.2f}",
        "-" if row.seconds is None else str(round(row.seconds, 1)),
        run,
        "-" if row.test_accuracy is None else f"{row.test_accuracy:.3f} {in_brackets(row.test_interval)}",
    ]
