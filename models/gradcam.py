"""Where on a picture a network found what speaks for a class: Grad-CAM.

Selvaraju et al. (2017), "Grad-CAM: Visual explanations from deep networks via gradient-based localization". The last
map of the network is weighted by how much each of its channels moves the class's logit. It shows where the network
looked, not why it decided, and no finer than that map: 7 by 7 places for a picture of 224 pixels in most networks.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from ..errors import ModelError
from .architectures import Classifier
from .layer_outputs import is_channels_last
from .manifest import Preprocess
from .network import normalised

_DIMMED = 0.35  # brightness of what spoke for nothing
_TINT = (255, 140, 0)  # on what spoke most
_MOST_TINT = 0.35


def heat_map(
    network: Classifier, prepared: np.ndarray, class_index: int, preprocess: Preprocess | None = None
) -> np.ndarray:
    """Where `network` found what speaks for one class.

    Parameters
    ----------
    network : of `network.load_network`, in eval mode.
    prepared : uint8 [size, size, 3], of `images.prepare`.
    class_index : of the network's outputs.
    preprocess : the manifest's, see `network.normalised`.

    Returns
    -------
    float32 [h, w] in 0..1, as fine as the network's last map; all 0 where nothing spoke for the class.

    Raises
    ------
    ModelError : the network keeps no map of the picture.

    Notes
    -----
    What is followed back is the logit less the mean of all logits: softmax takes no notice of what is added to all. A
    network that judges a picture by itself and by its mirror image is explained by both, the second turned back.
    """
    pictures = normalised(prepared[None], preprocess)
    with torch.enable_grad(), _recorded(network) as seen:
        pictures = pictures.requires_grad_()  # frozen or not, there is something to follow back to
        views = torch.cat([pictures, pictures.flip(-1)]) if network.mirror else pictures
        logits = network.head(network.body(views).mean(0, keepdim=True))[0]
        target = logits[class_index] - logits.mean()
        slopes = torch.autograd.grad(target, seen, allow_unused=True) if seen else ()
    for activation, slope in zip(reversed(seen), reversed(slopes), strict=True):
        if slope is None or not slope.any():
            continue  # behind the last map, or of a token that no class is read from
        if (weighted := _weighted(activation.detach(), slope)) is not None:
            if network.mirror:
                weighted = (weighted[:1] + weighted[1:].flip(-1)) / 2
            heat = weighted[0].clamp_min(0)
            found: np.ndarray = (heat / heat.max().clamp_min(torch.finfo().tiny)).numpy().astype(np.float32)
            return found
    raise ModelError(
        "This network keeps no map of the picture, so it cannot show where it looked.", "Leave out the explanation."
    )


def _weighted(activation: torch.Tensor, slope: torch.Tensor) -> torch.Tensor | None:
    """Channels [N, C, h, w] summed by the mean slope of each, [N, h, w]; None where it is no map of several places."""
    if activation.ndim == 3 and not (slope[:, -1] == 0).all():  # tokens [N, places, C], the class's before them
        side = int(activation.shape[1] ** 0.5)
        tokens = [
            tensor[:, -side * side :].transpose(1, 2).reshape(len(tensor), -1, side, side)
            for tensor in (activation, slope)
        ]
        return _weighted(*tokens)
    if activation.ndim != 4:
        return None
    if is_channels_last(activation):
        activation, slope = (tensor.permute(0, 3, 1, 2) for tensor in (activation, slope))
    if activation.shape[2] != activation.shape[3] or activation.shape[2] == 1:  # of an attention's heads; pooled
        return None
    return (activation * slope.mean((2, 3), keepdim=True)).sum(1)


@contextmanager
def _recorded(network: nn.Module) -> Iterator[list[torch.Tensor]]:
    """What the modules of `network` give out in the block, in order: maps [N, C, h, w] and tokens [N, T, C]."""
    seen: list[torch.Tensor] = []

    def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor) and output.ndim in (3, 4) and output.requires_grad:
            seen.append(output)

    handles = [module.register_forward_hook(record) for module in network.modules()]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def overlay(image: Image.Image, heat: np.ndarray) -> Image.Image:
    """`image` (RGB) bright and tinted where `heat` (of `heat_map`) is high, dim elsewhere: told without colours too."""
    scaled = Image.fromarray((heat * 255).astype(np.uint8)).resize(image.size, Image.Resampling.BICUBIC)
    strength = (np.asarray(scaled, dtype=np.float32) / 255)[..., None]
    lit = np.asarray(image.convert("RGB"), dtype=np.float32) * (_DIMMED + (1 - _DIMMED) * strength)
    tint = strength**2 * _MOST_TINT
    return Image.fromarray((lit * (1 - tint) + np.array(_TINT, dtype=np.float32) * tint).astype(np.uint8))
