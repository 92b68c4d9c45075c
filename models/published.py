"""The classifier that a weights file was published with: which padding it was trained with, asked of the classifier.

See `padding` for why that matters and why it can tell.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from .. import images
from ..errors import ImageError
from ..progress import SILENT, Progress
from . import architectures, padding, small, timm_networks
from .gate import torchvision
from .weights import NONE, PUBLISHED, read_tensors, weights_file

_PICTURES = 64


def with_its_padding(name: str, weights: str, pictures: Sequence[Path], progress: Progress = SILENT) -> str:
    """The architecture `name`, with the padding that its weights file was trained with where that can be told.

    It can where the file holds torchvision's whole network, its classifier included. ``NAME:padding=torch`` and
    ``NAME:padding=tensorflow`` say which it is and stay as they are.

    Parameters
    ----------
    weights : see `weights.load_pretrained`. torchvision's own are what they are.
    pictures : of whatever is to be told apart; up to 64 of them are looked at.

    Raises
    ------
    UsageError : there is no such architecture.
    WeightsError : the file cannot be read.
    """
    architecture = architectures.find(name)
    is_torchvisions_own = not (small.is_one(name) or timm_networks.is_one(name)) and padding.without(name) == name
    if not is_torchvisions_own or weights in (NONE, *PUBLISHED):
        return name
    classifier = _classifier(name, weights_file(weights, progress))
    squares = _squares(pictures, architectures.evaluation_size(name, architecture.size)) if classifier else []
    if classifier is None or len(squares) < 2:
        return name
    found = padding.settle(name, classifier, squares, architecture.mean, architecture.std)
    if found != name:
        progress.note(f"The weights are surer of these pictures with TensorFlow's padding: taken, as {found}.")
    return found


def _classifier(name: str, file: Path) -> nn.Module | None:
    """torchvision's network with all that `file` has for it; None where that is not the whole of it."""
    tensors = read_tensors(file)
    body, _ = architectures.make_body(name)
    of_head = architectures.head_names(body)
    heads = [key for key in sorted(tensors) if key.partition(".")[0] in of_head and key.endswith(".weight")]
    if not heads:
        return None
    network: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=len(tensors[heads[-1]]))
    own = network.state_dict()
    fits = (key in tensors and tensors[key].shape == own[key].shape for key in own if not key.endswith("_tracked"))
    if not all(fits):
        return None
    network.load_state_dict(tensors, strict=False)
    return network


def _squares(pictures: Sequence[Path], size: int) -> list[np.ndarray]:
    """Up to 64 of `pictures`, from all over the list, as uint8 [size, size, 3]; what cannot be read is left out."""
    found = []
    for path in pictures[:: max(1, len(pictures) // _PICTURES)][:_PICTURES]:
        try:
            found.append(images.prepare(images.open_rgb(path), size, "squish"))  # how it was tried on known weights
        except ImageError:
            continue
    return found
