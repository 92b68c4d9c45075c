"""timm's networks (https://github.com/huggingface/pytorch-image-models), for who has installed the extra ``timm``.

timm is imported only when one of its networks is asked for. Their names here are ``timm:NAME``, NAME being timm's own
with or without the tag of its weights: ``timm:resnet50`` or ``timm:resnet50.a1_in1k``.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import UsageError, WeightsError
from . import gate  # noqa: F401 - timm imports torchvision, which has to have come in through there

PREFIX = "timm:"
_FILES = ("model.safetensors", "pytorch_model.bin")


def is_one(name: str) -> bool:
    """Whether `name` is of the form ``timm:NAME``."""
    return name.startswith(PREFIX)


def _timm() -> Any:
    if not find_spec("timm"):
        raise UsageError("Networks of timm need its package.", 'Install it with: pip install "birds[timm]"')
    import timm

    return timm


def names() -> list[str]:
    """All of timm's, sorted: each once by itself, which is its default weights, and once for every tag of weights."""
    timm = _timm()
    return sorted({f"{PREFIX}{name}" for name in (*timm.list_models(), *timm.list_models(pretrained=True))})


def published(name: str) -> Any:
    """timm's ``PretrainedCfg``: what the published weights of `name` expect and where they lie."""
    return _timm().get_pretrained_cfg(name.removeprefix(PREFIX))


def make_body(name: str) -> tuple[nn.Module, int]:
    """The network without its classifier, and its number of features; see `architectures.make_body`."""
    body = _timm().create_model(name.removeprefix(PREFIX), pretrained=False, num_classes=0)
    return body, int(body.head_hidden_size)


def count_parameters(name: str) -> int:
    """Of the whole network, its classifier of the published classes included."""
    with torch.device("meta"):  # shapes without memory
        network = _timm().create_model(name.removeprefix(PREFIX), pretrained=False)
    return sum(parameter.numel() for parameter in network.parameters())


def made(body: nn.Module) -> bool:
    """Whether `body` is of `make_body`."""
    return hasattr(body, "pretrained_cfg")


def head_names(body: nn.Module) -> set[str]:
    """See `architectures.head_names`."""
    classifier: str | tuple[str, ...] = body.pretrained_cfg["classifier"]  # type: ignore[index,assignment]  # a dict
    return {one.partition(".")[0] for one in ([classifier] if isinstance(classifier, str) else classifier)}


def cached_file(name: str) -> Path | None:
    """The published weights in the cache of huggingface_hub, where timm puts them."""
    from huggingface_hub import try_to_load_from_cache

    source = published(name).hf_hub_id
    for file in _FILES if source else ():
        path = try_to_load_from_cache(source, file)
        if isinstance(path, str):  # not: None, or a sign that there is no such file
            return Path(path)
    return None


def published_tensors(name: str) -> dict[str, torch.Tensor]:
    """The state dict of the body with timm's published weights, from its cache or the network.

    Raises
    ------
    WeightsError : timm publishes none, or they cannot be had.
    """
    cached = cached_file(name)  # handed to timm, which would ask the network first, for half a minute if there is none
    overlay = {"file": str(cached), "custom_load": False} if cached else None
    try:
        body = _timm().create_model(
            name.removeprefix(PREFIX), pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
        )
    except (OSError, RuntimeError, ValueError) as error:  # huggingface_hub's own are among these
        first_line = str(error).strip().partition("\n")[0].rstrip(".")
        raise WeightsError(
            f"The weights of {name} could not be had from timm: {first_line}.",
            "Give a file with --weights FILE, or train from scratch with --no-pretrained.",
        ) from error
    state: dict[str, torch.Tensor] = body.state_dict()
    return state
