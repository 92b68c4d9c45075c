"""``birds compare`` and ``birds lr-find``."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import config
from ..console import Console, JsonFlag, ProjectDir, QuietFlag
from ..errors import TrainError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from .comparison import CompareResult
    from .comparison_table import Entry

Weights = Annotated[
    str | None,
    typer.Option(help="imagenet, none, or a file, as in `birds train`.", metavar="NAME|FILE", show_default="imagenet"),
]
Size = Annotated[
    int | None, typer.Option(min=16, help="Pixels of a side.", show_default="what the network was published at")
]
BatchSize = Annotated[int | None, typer.Option(min=2, help="Pictures a step.", show_default="16")]
Seed = Annotated[int | None, typer.Option(min=0, help="Of weights, order and augmentation.", show_default="0")]


def settings_from(project: Path, **flags: Any) -> dict[str, Any]:
    """Arguments for training: the [train] table of birds.toml, and the flags given, which win."""
    given = {name: value for name, value in flags.items() if value is not None}
    return config.train_arguments({**config.load(project).train, **given})


def compare(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Finished runs.")] = None,
    arch: Annotated[
        list[str] | None, typer.Option(help="A network to train, or to take if it is; give it again for each.")
    ] = None,
    weights: Weights = None,
    epochs: Annotated[str | None, typer.Option(help="As in `birds train`.", metavar="N[,N]")] = None,
    size: Size = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    repeats: Annotated[int, typer.Option(min=1, help="Train each with so many seeds, and give mean and spread.")] = 1,
    final: Annotated[
        bool, typer.Option("--final", help="Evaluate on the held-out test set too: once, when all is chosen.")
    ] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Train several networks alike, or take finished runs, and rank them by validation loss.

    The other settings are those of [train] in birds.toml. Give the same command again after an interruption: it goes
    on, and takes what is finished.

    Example: birds compare --arch resnet18 --arch mobilenet_v2
    """
    settings = settings_from(project, weights=weights, epochs=epochs, size=size, batch_size=batch_size, seed=seed)
    settings.pop("arch", None)  # birds.toml's own: which to compare is said here
    from . import comparison  # torch and fastai: after the flags are known to be good

    console = Console(as_json=as_json, quiet=quiet)
    result = comparison.compare(
        project, runs or (), archs=arch or (), repeats=repeats, final=final, progress=console, **settings
    )
    if final:
        console.note(comparison.FINAL_NOTE)
    if not (result.failed and as_json):
        _print(console, result, final=final)
    if result.failed:
        raise not_trained(result.failed, result)


def not_trained(failed: Mapping[str, str], result: "DataclassInstance") -> TrainError:
    """The error that ends a command of which a part failed; with ``--json``, `result` stands beside it."""
    error = TrainError(
        f"Not trained: {'; '.join(f'{name}: {why}' for name, why in failed.items())}",
        "The same command tries them again and takes the others as they are.",
    )
    error.partial = asdict(result)
    return error


def _print(console: Console, result: "CompareResult", *, final: bool) -> None:
    titles = ["network", "run", "loss", "accuracy (95% interval)", "seconds", "million parameters"]
    titles += ["test loss", "test accuracy (95% interval)"] if final else []
    text = f"Written to {result.csv} and {result.picture}." if result.ranking else ""
    table = (titles, [_cells(entry, final=final) for entry in result.ranking]) if result.ranking else None
    console.result(result, text, table=table)


def _cells(entry: "Entry", *, final: bool) -> list[str | float]:
    run = entry.runs[0] if len(entry.runs) == 1 else f"{len(entry.runs)} seeds"
    cells: list[str | float] = [
        entry.arch,
        run,
        loss_in_words(entry),
        accuracy_in_words(entry),
        round(entry.seconds, 1),
        "-" if entry.million_parameters is None else round(entry.million_parameters, 1),
    ]
    if final:
        cells += test_in_words(entry)
    return cells


def loss_in_words(entry: "Entry") -> str:
    """Validation loss, and its spread over seeds."""
    return f"{entry.valid_loss:.4f}{plus_minus(entry.valid_loss_spread, 4)}"


def accuracy_in_words(entry: "Entry") -> str:
    """Validation accuracy with its spread over seeds and its interval."""
    spread, interval = plus_minus(entry.valid_accuracy_spread, 3), in_brackets(entry.valid_accuracy_interval)
    return f"{entry.valid_accuracy:.3f}{spread} {interval}"


def test_in_words(entry: "Entry") -> tuple[str, str]:
    """Loss on the test set, and accuracy with its interval."""
    accuracy = f"{entry.test_accuracy:.3f} {in_brackets(entry.test_accuracy_interval)}"
    return f"{entry.test_loss:.4f}", accuracy.rstrip()


def plus_minus(value: float | None, digits: int) -> str:
    return "" if value is None else f" ± {value:.{digits}f}"


def in_brackets(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"({interval[0]:.3f} to {interval[1]:.3f})"


def lr_find(
    arch: Annotated[
        str | None, typer.Option(help="A network; `birds archs` lists them.", show_default="that of `birds train`")
    ] = None,
    weights: Weights = None,
    phase: Annotated[
        str | None,
        typer.Option(
            help="head: the body stays frozen; fine_tune: every layer.", show_default="head; from scratch fine_tune"
        ),
    ] = None,
    size: Size = None,
    batch_size: BatchSize = None,
    seed: Seed = None,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Search a learning rate: train for a hundred batches at rising rates and see where the loss falls.

    It leaves a picture and no run. `birds train --lr auto` searches by itself, for each phase where it starts.

    Example: birds lr-find --arch resnet18
    """
    settings = settings_from(project, arch=arch, weights=weights, size=size, batch_size=batch_size, seed=seed)
    settings.pop("lr", None)
    from .lr_find import find_lr

    console = Console(as_json=as_json, quiet=quiet)
    result = find_lr(project, phase=phase, progress=console, **settings)
    text = (
        f"Suggested learning rate for phase {result.phase}: {result.lr:.2g}. The search is drawn in {result.picture}."
    )
    console.result(result, text)
