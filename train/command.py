"""``birds train``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import train_arguments
from ..console import Console, JsonFlag, ProjectDir, QuietFlag
from ..errors import UsageError

_TWO = "One value for both phases, or two: "
_GO_WITH_RESUME = {"run", "resume", "log", "project", "as_json", "quiet"}


def _whole(help_text: str, default: str, least: int = 0) -> Any:
    return typer.Option(min=least, help=help_text, show_default=default)


def _text(help_text: str, default: str, metavar: str | None = None) -> Any:
    return typer.Option(help=help_text, show_default=default, metavar=metavar)


def train(
    ctx: typer.Context,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="With --resume: which run.")] = None,
    arch: Annotated[str | None, _text("A network; `birds archs` lists them.", "resnext50_32x4d")] = None,
    weights: Annotated[
        str | None,
        _text(
            "imagenet, imagenet-v1, none, a file, or URL#sha256=HEX.",
            "imagenet; none for the small networks",
            "NAME|FILE|URL",
        ),
    ] = None,
    no_pretrained: Annotated[bool, typer.Option("--no-pretrained", help="The same as --weights none.")] = False,
    epochs: Annotated[
        str | None, _text(_TWO + "at most so many epochs; N,0 trains the head only.", "40,10", "N[,N]")
    ] = None,
    lr: Annotated[
        str | None, _text(_TWO + "learning rate of the head; auto searches.", "0.0003,0.0001", "X[,X]|auto")
    ] = None,
    schedule: Annotated[str | None, _text("flat (reduced on plateaus) or one-cycle.", "flat")] = None,
    patience: Annotated[str | None, _text(_TWO + "epochs without progress to stop at.", "8,3", "N[,N]")] = None,
    plateau_min_delta: Annotated[
        str | None, _text(_TWO + "nats the validation loss must fall by to be no plateau.", "0", "X[,X]")
    ] = None,
    plateau_patience: Annotated[
        str | None, _text(_TWO + "epochs of plateau to reduce the learning rate after.", "3,1", "N[,N]")
    ] = None,
    plateau_factor: Annotated[
        str | None, _text(_TWO + "what the learning rate is divided by on a plateau.", "3.5,7.5", "X[,X]")
    ] = None,
    optimizer: Annotated[str | None, _text("adamw, adam or sgd.", "adamw")] = None,
    momentum: Annotated[
        float | None, typer.Option(help="Of SGD; the first beta of Adam.", show_default="0.9", metavar="X")
    ] = None,
    weight_decay: Annotated[
        str | None, _text(_TWO + "weight decay.", "0.01 with adamw, 0 with the others", "X[,X]")
    ] = None,
    loss: Annotated[
        str | None,
        _text("What to minimise: cross-entropy, focal or mse. Reported is cross-entropy.", "cross-entropy"),
    ] = None,
    label_smoothing: Annotated[str | None, _text(_TWO + "share spread over all classes.", "0", "X[,X]")] = None,
    mixup: Annotated[str | None, _text(_TWO + "alpha of mixup, 0 for none.", "0", "X[,X]")] = None,
    cutmix: Annotated[float | None, typer.Option(min=0, help="Alpha of cutmix, 0 for none.", show_default="0")] = None,
    dropout: Annotated[
        float | None,
        typer.Option(help="Share of features the head leaves out in training.", show_default="0.25", metavar="X"),
    ] = None,
    activation: Annotated[
        str | None, _text("Of a small network that has a choice: relu, sigmoid, softmax.", "the network's")
    ] = None,
    class_weights: Annotated[
        bool | None,
        typer.Option("--class-weights/--no-class-weights", help="Rare classes weigh more.", show_default="no"),
    ] = None,
    averaging: Annotated[
        bool | None, typer.Option("--averaging/--no-averaging", help="Keep averaged weights.", show_default="yes")
    ] = None,
    feature_cache: Annotated[
        bool | None,
        typer.Option(
            "--feature-cache/--no-feature-cache", help="Train the head on features computed once.", show_default="yes"
        ),
    ] = None,
    discriminant: Annotated[
        bool | None,
        typer.Option(
            "--discriminant/--no-discriminant",
            help="Blend a head on features with their linear discriminant.",
            show_default="for up to 2,000 pictures",
        ),
    ] = None,
    views: Annotated[int | None, _whole("Random crops a picture that features are computed of.", "6")] = None,
    mirror: Annotated[
        bool | None,
        typer.Option("--mirror/--no-mirror", help="Judge pictures with their mirror images.", show_default="as --flip"),
    ] = None,
    calibrate: Annotated[
        bool | None,
        typer.Option("--calibrate/--no-calibrate", help="Fit a temperature at the end.", show_default="yes"),
    ] = None,
    size: Annotated[int | None, _whole("Pixels of a side.", "what the network was published at", 16)] = None,
    resize: Annotated[
        str | None, _text("How pictures become square: squish, trim (to 4:3, then squish) or crop.", "squish")
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option("--augment/--no-augment", help="Change pictures at random, as below.", show_default="yes"),
    ] = None,
    flip: Annotated[bool | None, typer.Option("--flip/--no-flip", help="Mirror at random.", show_default="yes")] = None,
    crop: Annotated[bool | None, typer.Option("--crop/--no-crop", help="Crop at random.", show_default="yes")] = None,
    colour: Annotated[
        bool | None, typer.Option("--colour/--no-colour", help="Change light at random.", show_default="yes")
    ] = None,
    rotate: Annotated[
        bool | None, typer.Option("--rotate/--no-rotate", help="Rotate at random.", show_default="yes")
    ] = None,
    normalise: Annotated[
        str | None,
        _text(
            "Take off and divide by: published (the weights'), computed (of the training pictures) or none.",
            "published; from scratch computed",
        ),
    ] = None,
    batch_size: Annotated[int | None, _whole("Pictures a step.", "16", 2)] = None,
    precision: Annotated[str | None, _text("auto (measured), fp32, bf16 or fp16.", "auto")] = None,
    compile_network: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    workers: Annotated[int | None, _whole("Processes that load pictures.", "measured")] = None,
    seed: Annotated[int | None, _whole("Same seed, same machine, same history.", "0")] = None,
    recipe: Annotated[str | None, _text("default, or 2024 for the original notebook's.", "default")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Train with so many seeds: mean and spread.")] = 1,
    log: Annotated[str | None, typer.Option(help="Log to tensorboard or wandb as well.", metavar="NAME")] = None,
    name: Annotated[str | None, _text("Name of the run.", "time and network")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, leave unfinished runs.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with RUN, or the newest unfinished run.")] = False,
    project: ProjectDir = Path(),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Fine-tune a pretrained network on dataset/: first its new head, then every layer.

    Give the same command again after an interruption, or --resume: it goes on from the last epoch.

    From scratch there is one phase. --no-augment turns all of --flip, --crop, --colour and --rotate off.

    Example: birds train --arch resnet18 --epochs 20,5
    """
    console = Console(as_json=as_json, quiet=quiet)
    if run and not resume:
        raise UsageError(f"What is {run!r}?", f"To go on with that run: birds train --resume {run}")
    if resume:
        given = {
            name
            for name in ctx.params
            if name not in _GO_WITH_RESUME and getattr(ctx.get_parameter_source(name), "name", "") == "COMMANDLINE"
        }
        if given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
            raise UsageError(f"--resume goes on with the settings of the run: {flags} cannot be given.")
        from .stage import resume as resume_run

        _print(console, resume_run(project, run, log=log, progress=console))
        return
    settings = train_arguments(
        {
            "arch": arch, "weights": "none" if no_pretrained else weights, "epochs": epochs, "lr": lr,
            "schedule": schedule, "patience": patience, "plateau_min_delta": plateau_min_delta,
            "plateau_patience": plateau_patience,
            "plateau_factor": plateau_factor, "optimizer": optimizer, "momentum": momentum,
            "weight_decay": weight_decay, "loss": loss, "label_smoothing": label_smoothing, "mixup": mixup,
            "cutmix": cutmix, "dropout": dropout, "activation": activation, "class_weights": class_weights,
            "averaging": averaging, "feature_cache": feature_cache, "discriminant": discriminant, "views": views,
            "mirror": mirror, "calibrate": calibrate, "size": size, "resize": resize, "augment": augment, "flip": flip,
            "crop": crop, "colour": colour, "rotate": rotate, "normalise": normalise, "batch_size": batch_size,
            "precision": precision, "compile": compile_network or None, "workers": workers, "seed": seed,
            "recipe": recipe,
        }
    )  # fmt: skip
    if repeats > 1:
        from .repeats import repeat

        first = settings.pop("seed", 0)
        seeds = range(first, first + repeats)
        several = repeat(project, seeds, name=name, fresh=fresh, log=log, progress=console, **settings)
        console.result(
            several,
            f"{repeats} runs: validation loss {several.valid_loss:.4f} ± {several.valid_loss_spread:.4f}, "
            f"accuracy {several.valid_accuracy:.3f} ± {several.valid_accuracy_spread:.3f}",
        )
        return
    from .stage import train as train_stage  # torch and fastai: after the flags are known to be good

    _print(console, train_stage(project, name=name, fresh=fresh, log=log, progress=console, **settings))


def _print(console: Console, result: Any) -> None:
    console.result(
        result,
        f"Run {result.run}: validation loss {result.valid_loss:.4f}, accuracy {result.valid_accuracy:.3f} "
        f"(epoch {result.best_epoch} of its phase), {result.seconds:.0f} s. Next: birds export",
    )
