"""``birds archs``."""

from typing import Annotated

import typer

from ..console import Console, JsonFlag, QuietFlag

_MOST_OF_TIMM = 30  # each is built once to count its parameters: a second for five


def archs(
    pattern: Annotated[
        str, typer.Argument(metavar="[FILTER]", help="Part of a name; timm:PART for networks of timm.")
    ] = "",
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """List the networks that `birds train --arch` knows, with their size, published accuracy, and cached weights.

    Example: birds archs resne
    """
    from . import architectures, timm_networks
    from .weights import is_cached

    console = Console(as_json=as_json, quiet=quiet)
    of_timm = timm_networks.is_one(pattern)
    part = pattern.removeprefix(timm_networks.PREFIX).lower()
    known = timm_networks.names() if of_timm else architectures.names()
    names = [name for name in known if part in name.removeprefix(timm_networks.PREFIX)]
    if of_timm and len(names) > _MOST_OF_TIMM:
        console.note(f"{len(names)} networks; these are the first {_MOST_OF_TIMM}. More of the name shows fewer.")
        names = names[:_MOST_OF_TIMM]
    listed = [{**vars(architectures.find(name)), "weights_cached": is_cached(name)} for name in names]
    rows = [
        (
            one["name"],
            f"{one['parameters']:.1f}",
            one["size"],
            "-" if one["accuracy"] is None else f"{one['accuracy']:.1f}",
            "yes" if one["weights_cached"] else "no",
        )
        for one in listed
    ]
    titles = ("network", "million parameters", "pixels", "ImageNet accuracy %", "weights cached")
    text = "" if rows else f"No network has {pattern!r} in its name. `birds archs` lists all."
    console.result({"archs": listed}, text, table=(titles, rows) if rows else None)
