"""``birds train``."""

from pathlib import Path
from typing import Annotated

import typer

from ..config import by_phase
from ..console import Console, JsonFlag, ProjectDir, QuietFlag

_TWO = "One value for both phases, or two: "


def train(
    arch: Annotated[str, typer.Option(help="A network; `birds archs` lists them.")] = "resnext50_32x4d",
    weights: Annotated[str, typer.Option(help="imagenet, none, or a file.", metavar="NAME|FILE")] = "imagenet",
    no_pretrained: Annotated[bool, typer.Option("--no-pretrained", help="The same as --weights none.")] = False,
    epochs: Annotated[str, typer.Option(help=_TWO + "at most so many epochs.", metavar="N[,N]")] = "10,10",
    lr: Annotated[
        str | None,
        typer.Option(help=_TWO + "learning rate of the head.", show_default="3e-3,1e-3; from scratch 1e-3"),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Pictures a step.")] = 16,
    size: Annotated[
        int | None, typer.Option(min=16, help="Pixels of a side.", show_default="what the network was published at")
    ] = None,
    resize: Annotated[str, typer.Option(help="How pictures become square: squish or crop.")] = "squish",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same machine, same history.")] = 0,
    patience: Annotated[str, typer.Option(help=_TWO + "epochs without progress to stop at.", metavar="N[,N]")] = "3",
    plateau_min_delta: Annotated[
        str, typer.Option(help=_TWO + "nats the validation loss must fall by to be no plateau.", metavar="X[,X]")
    ] = "0.10,0.05",
    plateau_factor: Annotated[
        str, typer.Option(help=_TWO + "what the learning rate is divided by on a plateau.", metavar="X[,X]")
    ] = "3.5,7.5",
    recipe: Annotated[str, typer.Option(help="default, or 2024 for the original notebook's.")] = "default",
    name: Annotated[str | None, typer.Option(help="Name of the run.", show_default="time and network")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, leave unfinished runs.")] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Fine-tune a pretrained network on dataset/: first its new head, then every layer.

    Give the same command again after an interruption: it goes on from the last epoch.

    Example: birds train --arch resnet18 --epochs 5,10
    """
    settings = by_phase(
        {
            "epochs": epochs,
            "lr": lr,
            "patience": patience,
            "plateau_min_delta": plateau_min_delta,
            "plateau_factor": plateau_factor,
        }
    )
    from .stage import train as train_stage  # torch and fastai: after the flags are known to be good

    console = Console(as_json=as_json, quiet=quiet)
    result = train_stage(
        project,
        arch=arch,
        weights="none" if no_pretrained else weights,
        batch_size=batch_size,
        size=size,
        resize=resize,
        seed=seed,
        recipe=recipe,
        name=name,
        fresh=fresh,
        progress=console,
        **settings,  # type: ignore[arg-type]  # whole numbers where the stage asks for them
    )
    console.result(
        result,
        f"Run {result.run}: validation loss {result.valid_loss:.4f}, accuracy {result.valid_accuracy:.3f} "
        f"(epoch {result.best_epoch} of its phase), {result.seconds:.0f} s. Next: birds export",
    )
