"""What a network is made of: its layers in the order a picture passes them, their shapes, parameters and memory.

Nothing is computed: the picture is passed on torch's meta device, where tensors have shapes and no memory, so that a
network of gigabytes is described on any machine.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..errors import UsageError
from .architectures import Classifier, built_for, find, make_body, make_head

_NUMBER_BYTES = 4  # fp32
_ADAM_COPIES = 4  # of each parameter in training: itself, its gradient, and Adam's two means


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes
    ----------
    name : of its parameters in the network.
    output_shape : for one picture, without the batch; None of what has parameters and no output of its own.
    parameters : learned numbers of its own, biases among them; one shared by two layers is the first's.
    biases : how many of these are biases.
    output_bytes : new memory that its output takes for one picture; 0 of what only passes on or reshapes.
    """

    name: str
    kind: str
    output_shape: list[int] | None
    parameters: int
    biases: int
    output_bytes: int


@dataclass(frozen=True)
class LayerTable:
    """A network with its layers, and totals over them.

    Attributes
    ----------
    weights : parameters that are no biases.
    parameter_bytes, output_bytes : in fp32; the second is of all layers' outputs for one picture.
    training_bytes : parameters, gradients and Adam's means, without any picture's outputs.
    """

    arch: str
    size: int
    classes: int
    layers: list[Layer]
    parameters: int
    trainable: int
    weights: int
    biases: int
    parameter_bytes: int
    output_bytes: int
    training_bytes: int


def layer_table(arch: str, classes: int, size: int | None = None) -> LayerTable:
    """The layers of `arch` as it is built for `classes` and pictures of `size` (default: the architecture's own).

    Raises
    ------
    UsageError : no such architecture, or it cannot take pictures of that size.
    """
    size = size or find(arch).size
    name = built_for(arch, size)
    # RegNet works its widths out with tensors, so it has to be built before it loses its memory.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        body, features = make_body(name)
        network = Classifier(body, make_head(features, classes, body))
    network = network.to("meta").eval()
    try:
        layers = _layers(network, torch.zeros(1, 3, size, size, device="meta"))
    except (RuntimeError, AssertionError, ValueError) as error:
        first_line = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(f"{name} cannot take pictures of {size} pixels: {first_line}.", "Try another size.") from error
    parameters = sum(layer.parameters for layer in layers)
    biases = sum(layer.biases for layer in layers)
    return LayerTable(
        arch=name,
        size=size,
        classes=classes,
        layers=layers,
        parameters=parameters,
        trainable=sum(one.numel() for one in network.parameters() if one.requires_grad),
        weights=parameters - biases,
        biases=biases,
        parameter_bytes=_NUMBER_BYTES * parameters,
        output_bytes=sum(layer.output_bytes for layer in layers),
        training_bytes=_NUMBER_BYTES * _ADAM_COPIES * parameters,
    )


def _layers(network: nn.Module, picture: torch.Tensor) -> list[Layer]:
    """In the order of their first use; those that have parameters and are not called themselves, at the end."""
    outputs: dict[nn.Module, tuple[list[int], int]] = {}
    names = {module: name for name, module in network.named_modules() if _is_layer(module)}

    def note(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        tensor = _first_tensor(output)
        if tensor is not None and module not in outputs:
            is_new = not any(isinstance(one, torch.Tensor) and _shares_memory(one, tensor) for one in given)
            shape = list(tensor.shape[1:] if tensor.shape[0] == len(picture) else tensor.shape)
            outputs[module] = shape, _NUMBER_BYTES * tensor.numel() * is_new

    hooks = [module.register_forward_hook(note) for module in names]
    try:
        with torch.no_grad():
            network(picture)
    finally:
        for hook in hooks:
            hook.remove()
    counted: set[nn.Parameter] = set()
    layers = []
    for module in [*outputs, *(one for one in names if one not in outputs)]:
        own = {name: one for name, one in module.named_parameters(recurse=False) if one not in counted}
        counted.update(own.values())
        if module not in outputs and not own:
            continue
        shape, size = outputs.get(module, (None, 0))
        biases = sum(one.numel() for name, one in own.items() if name.endswith("bias"))
        total = sum(one.numel() for one in own.values())
        layers.append(Layer(names[module], type(module).__name__, shape, total, biases, size))
    return layers


def _is_layer(module: nn.Module) -> bool:
    return next(module.children(), None) is None or next(module.parameters(recurse=False), None) is not None


def _first_tensor(output: Any) -> torch.Tensor | None:
    """Attention returns its output and its weights."""
    found = output[0] if isinstance(output, tuple | list) and output else output
    return found if isinstance(found, torch.Tensor) else None


def _shares_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(one.untyped_storage()._cdata == other.untyped_storage()._cdata)
