"""The network of an exported model as a torch module: for features, Grad-CAM and the torch engine.

It is built from what the manifest says and filled from the safetensors file, which holds tensors and nothing that runs.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from .. import files
from ..errors import ModelError, UsageError
from . import architectures
from .architectures import Classifier, make_body, make_head
from .manifest import METADATA_KEY, Manifest, Preprocess

if TYPE_CHECKING:
    from .bundle import LoadedModel


def load_network(model: "LoadedModel") -> Classifier:
    """The network of `model`, in eval mode, on the CPU: normalised pictures [N, 3, size, size] to logits [N, classes].

    ``body`` makes features [N, features] and ``head`` logits of them, the temperature included. From the safetensors
    file; without one, from the checkpoints of the run; from a pickle only where that is what was opened.

    Raises
    ------
    ModelError : none of these is there, or the weights do not fit.
    """
    manifest = model.manifest
    if "safetensors" in model.files:
        path = model.files["safetensors"]
        network = build_network(manifest, path)
        _fill(network, _read_tensors(path), path, manifest)
    elif model.learner is not None:
        network = as_classifier(model.learner.model)
    elif model.run is not None:
        from .trained import open_run

        network = as_classifier(open_run(model.run).model)
    else:
        raise ModelError(
            f"{model.path} has no weights that torch can take.", "Use the onnx engine, or get its model.safetensors."
        )
    return network.cpu().eval()


def normalised(prepared: np.ndarray, preprocess: Preprocess | None = None) -> torch.Tensor:
    """What networks take: uint8 [N, size, size, 3] of `images.prepare` as float [N, 3, size, size].

    Parameters
    ----------
    preprocess : the manifest's, whose mean is taken off and whose std is divided by; None for ImageNet's.
    """
    return normalise(torch.from_numpy(np.array(prepared)), preprocess or Preprocess("squish", prepared.shape[1]))


def normalise(prepared: torch.Tensor, preprocess: Preprocess) -> torch.Tensor:
    """The same of a tensor, in operations that ONNX has."""
    mean, std = (
        torch.tensor(values, dtype=torch.float32).reshape(1, 3, 1, 1) for values in (preprocess.mean, preprocess.std)
    )
    return (prepared.permute(0, 3, 1, 2).float() / 255 - mean) / std


def build_network(manifest: Manifest, where: object) -> Classifier:
    """The network that `manifest` describes, its weights random. Raises ModelError: this birds cannot build it."""
    classes = len(manifest.classes)
    try:
        architectures.find(manifest.architecture)  # a name from a stranger's file goes no further unknown
        if manifest.recipe == "2024":
            from .learner import make_2024_model  # fastai's, which the other recipe can do without

            return as_classifier(make_2024_model(manifest.architecture, classes))
        body, features = make_body(manifest.architecture)
    except UsageError as error:
        raise ModelError(f"{where} cannot be opened by torch: {error.message}", error.hint) from error
    return Classifier(body, make_head(features, classes, body), mirror=manifest.mirror)


def as_classifier(model: nn.Module) -> Classifier:
    """A learner's network as body and head. That of the recipe of 2024 is fastai's, whose head begins by pooling."""
    if isinstance(model, Classifier):
        return model
    body, head = model.children()
    pool, flatten, *rest = head.children()
    return Classifier(nn.Sequential(body, pool, flatten), nn.Sequential(*rest))


def _read_tensors(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except Exception as error:  # a damaged file raises whatever its bytes lead to
        first_line = (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
        raise ModelError(
            f"{path} is damaged: {first_line}.", "Export the model again with `birds export`, or get the file anew."
        ) from error
    return tensors


def _fill(network: Classifier, tensors: dict[str, torch.Tensor], path: Path, manifest: Manifest) -> None:
    expected = network.state_dict()
    missing, surplus = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    misfits = [f"{name} is missing" for name in missing] + [f"{name} is too many" for name in surplus]
    misfits += [
        f"{name} is {list(tensors[name].shape)} and should be {list(own.shape)}"
        for name, own in expected.items()
        if name in tensors and tensors[name].shape != own.shape
    ]
    if misfits:
        raise ModelError(
            f"The weights in {path} do not fit {manifest.architecture}: {'; '.join(misfits[:3])}.",
            "Export the model again with `birds export`, or install the birds that exported it "
            f"({manifest.versions.get('birds', 'unknown')}).",
        )
    network.load_state_dict(tensors)


def write_tensors(network: Classifier, path: Path, description: str) -> None:
    """Write the weights of `network` as a safetensors file with the manifest's JSON in it."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    files.write_bytes(path, save(tensors, metadata={"format": "pt", METADATA_KEY: description}))
