"""Padding as TensorFlow does it, for weights that were trained there and carried over.

A convolution of stride 2 looks at every second place. torchvision pads by one pixel on each side; TensorFlow's "SAME"
pads an even width by one pixel at the end only, so that it looks at the places in between. Weights from there have
torchvision's names and shapes, and see worse in its network: 0.362 against 0.348 nats with MobileNetV2 (cross-validated
over 612 pictures of birds8, as in `pooling`). timm has networks of its own for them, by the prefix ``tf_``.

No file says where it was trained. But a classifier is surer of itself in the network that it was trained in: the mean
entropy of its own 1000 classes on pictures of birds tells the two apart, without a label.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np
import torch
from torch import nn

Floats = Sequence[float]
_TENSORFLOW, _TORCH = ":padding=tensorflow", ":padding=torch"
_BATCH = 8
_STANDARD_ERRORS = 2  # by which TensorFlow's must be surer


def without(name: str) -> str:
    """An architecture's name without the option ``:padding=tensorflow`` or ``:padding=torch``."""
    return name.removesuffix(_TENSORFLOW).removesuffix(_TORCH)


def is_tensorflows(name: str) -> bool:
    """Whether an architecture's name asks for TensorFlow's padding."""
    return name.endswith(_TENSORFLOW)


class TensorflowConv2d(nn.Conv2d):
    """A convolution without padding of its own, whose input is padded as TensorFlow's "SAME" pads it."""

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        height, width = self.kernel_size
        down, right = self.stride
        padded = pad_same(seen, (height, width), (down, right))
        found: torch.Tensor = self._conv_forward(padded, self.weight, self.bias)
        return found


@torch.fx.wrap  # sizes are numbers when it runs; tracing would take them for unknowns
def pad_same(seen: torch.Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> torch.Tensor:
    """[N, C, h, w] padded with zeros so that a convolution without padding gives ceil(h / stride) rows and so on.

    Where an odd number is missing the end gets one more than the beginning
    (https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2).
    """
    pads: list[int] = []
    for size, side, step in zip(seen.shape[:-3:-1], kernel[::-1], stride[::-1], strict=True):  # torch pads width first
        missing = max((-(-size // step) - 1) * step + side - size, 0)
        pads += [missing // 2, missing - missing // 2]
    return nn.functional.pad(seen, pads)


def pad_as_tensorflow(network: nn.Module) -> int:
    """Let every padded convolution of a stride above 1 pad like TensorFlow's; returns how many there are."""
    found = 0
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Conv2d and _is_strided(child):
                other = TensorflowConv2d(
                    child.in_channels,
                    child.out_channels,
                    child.kernel_size,  # type: ignore[arg-type]
                    child.stride,  # type: ignore[arg-type]
                    groups=child.groups,
                    bias=child.bias is not None,
                )
                other.weight, other.bias = child.weight, child.bias
                setattr(module, name, other)
                found += 1
    return found


def _is_strided(convolution: nn.Conv2d) -> bool:
    return (
        max(convolution.stride) > 1 and convolution.padding not in ("valid", (0, 0)) and convolution.dilation == (1, 1)
    )


def settle(name: str, classifier: nn.Module, pictures: Sequence[np.ndarray], mean: Floats, std: Floats) -> str:
    """The architecture `name`, or that with TensorFlow's padding, whichever a classifier was trained as.

    Parameters
    ----------
    classifier : of the architecture `name`, with the layer that was published with it. It is changed.
    pictures : uint8 [size, size, 3] each.
    mean, std : of red, green and blue, taken off and divided by.
    """
    as_it_is = entropies(classifier, pictures, mean, std)
    if not pad_as_tensorflow(classifier):
        return name
    return name + _TENSORFLOW if is_surer(entropies(classifier, pictures, mean, std), as_it_is) else name


def entropies(classifier: nn.Module, pictures: Sequence[np.ndarray], mean: Floats, std: Floats) -> np.ndarray:
    """Nats [n] of what a classifier says of n pictures, uint8 [size, size, 3]; 0 where it is sure."""
    classifier.eval()
    found = []
    for at in range(0, len(pictures), _BATCH):
        pixels = torch.from_numpy(np.stack(pictures[at : at + _BATCH])).permute(0, 3, 1, 2).float() / 255
        prepared = (pixels - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
        with torch.inference_mode():
            logs = classifier(prepared).log_softmax(1)
        found.append(-(logs.exp() * logs).sum(1))
    return torch.cat(found).numpy()


def is_surer(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether entropies [n] lie below others of the same pictures by more than chance would have it."""
    differences = ours - theirs
    error = differences.std(ddof=1) / sqrt(len(differences))
    return bool(differences.mean() < -_STANDARD_ERRORS * error)
