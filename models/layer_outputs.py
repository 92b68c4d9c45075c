"""What the layers of a network make of pictures: which there are, and the output of any as one vector a picture.

A layer is known by the name of its module in the network (``body.layer3.1``, ``head.2``). Whatever has a map or tokens
for places of a picture is averaged over these, so that what remains says what a layer found and not where.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import UsageError
from .architectures import Classifier

LAST = "body"  # whose output is what the head decides by
_ENDS = (nn.modules.activation, nn.modules.pooling)  # modules of torch whose layers end a step of a plain network


@dataclass(frozen=True)
class Layer:
    """One module that gives out one tensor.

    Attributes
    ----------
    shape : of its output for one picture, without the batch.
    kind : class of the module.
    """

    name: str
    kind: str
    shape: list[int]


def layers_of(network: Classifier, size: int) -> list[Layer]:
    """Every layer whose output can be looked at, in the order in which a picture of `size` pixels leaves them."""
    left: dict[str, list[int]] = {}

    def note(name: str, output: Any) -> None:
        if _is_of_pictures(output, 2):
            left.pop(name, None)  # one that is used several times is looked at where it was used last
            left[name] = list(output.shape[1:])

    modules = dict(network.named_modules())
    device = next(network.parameters()).device
    with torch.inference_mode(), _hooked(modules, [name for name in modules if name], note):
        network.head(network.body(torch.zeros(2, 3, size, size, device=device)))
    return [Layer(name, type(modules[name]).__name__, shape) for name, shape in left.items()]


def middle_of(network: Classifier, layers: Sequence[Layer]) -> str:
    """The middle one of the steps of the body.

    Steps are what the body consists of once sequences of modules, and whatever holds more than half of its weights,
    are taken apart: the blocks of most networks (of ResNet, MobileNet, ViT, ...). Of single layers only activations and
    poolings count, which end a step.
    """
    given = {layer.name for layer in layers}
    half = sum(one.numel() for one in network.body.parameters()) / 2
    steps = [
        name
        for name, module in _steps(LAST, network.body, half)
        if name in given and (_has_children(module) or type(module).__module__ in {one.__name__ for one in _ENDS})
    ]
    return steps[(len(steps) - 1) // 2] if steps else LAST


def check_layer(name: str, layers: Sequence[Layer]) -> None:
    """Raise UsageError where there is no layer called `name`; the nearest names are told."""
    known = [layer.name for layer in layers]
    if name in known:
        return
    ends = [one for one in known if one.endswith(f".{name}")]
    near = (ends or difflib.get_close_matches(name, known, n=3, cutoff=0.5))[:3]
    hint = f"Did you mean {', '.join(near)}?" if near else "--layers lists them."
    raise UsageError(f"The network has no layer {name!r} whose output can be looked at.", hint)


def outputs_of(
    network: Classifier, pictures: torch.Tensor, names: Sequence[str]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits [N, classes], and the vectors [N, features] that the layers called `names` make of `pictures`.

    Maps [N, C, h, w] and tokens [N, T, C], a class token among them, are averaged over their places. A network that
    judges by a picture and its mirror image has the mean of both.

    Parameters
    ----------
    network : in eval mode.
    pictures : float [N, 3, size, size], normalised.

    Raises
    ------
    UsageError : a layer has no output for each picture; those of `layers_of` have.
    """
    views = [pictures, pictures.flip(-1)] if network.mirror else [pictures]
    found: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    latest: dict[str, torch.Tensor] = {}

    def note(name: str, output: Any) -> None:
        if _is_of_pictures(output, len(pictures)):
            latest[name] = averaged(output)

    features = []
    with torch.inference_mode(), _hooked(dict(network.named_modules()), names, note):
        for view in views:
            features.append(network.body(view))
            for name, vectors in latest.items():
                found[name].append(vectors)
            latest.clear()
        logits = network.head(sum(features) / len(features))
        for name, vectors in latest.items():
            found[name].append(vectors)
    if lacking := [name for name, some in found.items() if not some]:
        raise UsageError(f"The layer {lacking[0]!r} has no output for each picture.", "--layers lists those that have.")
    return logits, {name: torch.stack(some).mean(0) for name, some in found.items()}


def averaged(output: torch.Tensor) -> torch.Tensor:
    """Maps [N, C, h, w] or [N, h, w, C] and tokens [N, T, C] as [N, C]: the mean over places."""
    if output.ndim == 4:
        return output.mean((1, 2) if is_channels_last(output) else (2, 3))
    return output.mean(1) if output.ndim == 3 else output.clone()  # an activation in place may come next


def is_channels_last(maps: torch.Tensor) -> bool:
    """Whether maps of square pictures are [N, h, w, C], as Swin has them, and not [N, C, h, w]."""
    return maps.shape[1] == maps.shape[2] != maps.shape[3]


def _is_of_pictures(output: Any, n: int) -> bool:
    return isinstance(output, torch.Tensor) and output.ndim in (2, 3, 4) and output.shape[0] == n


def _steps(name: str, module: nn.Module, half: float) -> Iterator[tuple[str, nn.Module]]:
    is_large = sum(one.numel() for one in module.parameters()) > half
    if _has_children(module) and (is_large or isinstance(module, nn.Sequential | nn.ModuleList)):
        for child_name, child in module.named_children():
            yield from _steps(f"{name}.{child_name}", child, half)
    else:
        yield name, module


def _has_children(module: nn.Module) -> bool:
    return next(module.children(), None) is not None


@contextmanager
def _hooked(modules: dict[str, nn.Module], names: Sequence[str], note: Any) -> Iterator[None]:
    """Tell `note` the name and the output of each of these modules whenever it was used."""

    def hook_for(name: str) -> Any:
        return lambda _module, _given, output: note(name, output)

    hooks = [modules[name].register_forward_hook(hook_for(name)) for name in names]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
