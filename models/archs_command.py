"""``birds archs``."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..console import Console, JsonFlag, QuietFlag
from ..errors import UsageError

if TYPE_CHECKING:
    from .layer_table import LayerTable

_MOST_OF_TIMM = 30  # each is built once to count its parameters: a second for five
_IMAGENET_CLASSES = 1000
_MB = 2**20


def archs(
    pattern: Annotated[
        str, typer.Argument(metavar="[FILTER]", help="Part of a name; timm:PART for networks of timm.")
    ] = "",
    summary: Annotated[
        bool, typer.Option("--summary", help="The layers of the one network of that name, with shapes and memory.")
    ] = False,
    size: Annotated[
        int | None, typer.Option(min=1, help="Pixels of a side, for --summary. Default: the network's own.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(min=2, help="Classes, for --summary. Default: those it was published with.")
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """List the networks that `birds train --arch` knows, with their size, published accuracy, and cached weights.

    Five are small ones, to train from scratch (--weights none), and take options in their name:
    bird_cnn:kernel=6,convs=2.

    Example: birds archs resne

    Example: birds archs bird_cnn --summary --size 256 --classes 20
    """
    console = Console(as_json=as_json, quiet=quiet)
    if summary:
        _show_layers(console, pattern, size, classes)
        return
    if size is not None or classes is not None:
        raise UsageError("--size and --classes are for --summary.", "Add it, with the name of one network.")
    from . import architectures, small, timm_networks
    from .weights import is_cached

    of_timm = timm_networks.is_one(pattern)
    part = pattern.removeprefix(timm_networks.PREFIX).lower()
    known = timm_networks.names() if of_timm else architectures.names()
    if ":" in pattern and small.is_one(pattern):  # with options, which are no part of a name
        known = [pattern]
    names = [name for name in known if part in name.removeprefix(timm_networks.PREFIX)]
    if of_timm and len(names) > _MOST_OF_TIMM:
        console.note(f"{len(names)} networks; these are the first {_MOST_OF_TIMM}. More of the name shows fewer.")
        names = names[:_MOST_OF_TIMM]
    listed = [{**vars(architectures.find(name)), "weights_cached": is_cached(name)} for name in names]
    rows = [
        (
            one["name"],
            f"{one['parameters']:.1f}" if one["parameters"] >= 1 else f"{one['parameters']:.2f}",
            one["size"],
            "-" if one["accuracy"] is None else f"{one['accuracy']:.1f}",
            "yes" if one["weights_cached"] else "no",
        )
        for one in listed
    ]
    titles = ("network", "million parameters", "pixels", "ImageNet accuracy %", "weights cached")
    text = "" if rows else f"No network has {pattern!r} in its name. `birds archs` lists all."
    console.result({"archs": listed}, text, table=(titles, rows) if rows else None)


def _show_layers(console: Console, name: str, size: int | None, classes: int | None) -> None:
    from . import small
    from .layer_table import layer_table

    if classes is None:
        classes = small.design_of(name).classes if small.is_one(name) else _IMAGENET_CLASSES
    table = layer_table(name, classes, size)
    rows = [
        (
            layer.name,
            layer.kind,
            "-" if layer.output_shape is None else " x ".join(map(str, layer.output_shape)),
            f"{layer.parameters:>11,}",
        )
        for layer in table.layers
    ]
    console.result(table, _totals(table), table=(("layer", "kind", "output", "parameters"), rows))


def _totals(table: "LayerTable") -> str:
    return "\n".join(
        (
            f"{table.arch} for {table.classes} classes and pictures of {table.size} pixels",
            f"Parameters: {table.parameters:,} ({table.weights:,} without biases), trainable {table.trainable:,}",
            f"Memory in fp32: parameters {table.parameter_bytes / _MB:.1f} MB, "
            f"outputs of all layers {table.output_bytes / _MB:.1f} MB a picture",
            f"Training by Adam: {table.training_bytes / _MB:.1f} MB, and at least the outputs of a batch's pictures",
        )
    )
