"""Pretrained weights: the published ones, from a cache or the network, or a file of the network's parameter names.

Files are read without running code from them (safetensors, or ``torch.load(weights_only=True)``).
"""

import re
from pathlib import Path
from urllib.error import URLError

import torch
from torch import nn

from ..errors import WeightsError
from ..progress import SILENT, Progress
from . import small, timm_networks
from .architectures import head_names, with_derived
from .downloads import checkpoints, fetch_weights, is_url
from .gate import torchvision
from .padding import without

NONE, IMAGENET, IMAGENET_V1 = "none", "imagenet", "imagenet-v1"
PUBLISHED = (IMAGENET, IMAGENET_V1)
_NO_WEIGHTS_HINT = "Give a file with --weights FILE, or train from scratch with --no-pretrained."
_WRAPPERS = ("state_dict", "model")  # keys under which training scripts save the network beside other things
_PREFIXES = ("module.", "model.")  # of parameter names: DataParallel's, Lightning's
# What torchvision renamed after it had published weights; it does the same to its own files when it loads them.
_RENAMED = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),  # DenseNet
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),  # ViT
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)


def load_pretrained(body: nn.Module, name: str, weights: str, progress: Progress = SILENT) -> str:
    """Fill `body` (see `architectures.make_body`) and say in words what it was filled with.

    Parameters
    ----------
    name : the architecture.
    weights : ``imagenet`` (the published default), ``imagenet-v1`` (torchvision's first ones), the path of a
        ``.safetensors``, ``.pth`` or ``.pt`` file, or a URL of one that ends in ``#sha256=HEX``.

    Raises
    ------
    WeightsError : not to be had, unreadable, or of another architecture; names the first tensors that do not fit.
    UsageError : a URL without its SHA-256.
    """
    if weights in PUBLISHED:
        state, source = _published(name, weights, progress)
    else:
        state, source = read_tensors(weights_file(weights, progress)), weights
    classes = _fill(body, state, name, source)
    return f"{source}; its head of {classes} classes is left out" if classes else source


def weights_file(weights: str, progress: Progress = SILENT) -> Path:
    """The file that `weights`, a path or a URL with its SHA-256, stands for; downloaded where it has to be."""
    return fetch_weights(weights, progress=progress) if is_url(weights) else Path(weights)


def is_cached(name: str, weights: str = IMAGENET) -> bool:
    """Whether these published weights of `name` can be had without the network."""
    if timm_networks.is_one(name):
        return weights == IMAGENET and timm_networks.cached_file(name) is not None
    if small.is_one(name):
        return False
    choice = _choice(name, weights)
    return choice is not None and _hub_file(choice.url).is_file()


def _choice(name: str, weights: str) -> "torchvision.models.WeightsEnum | None":
    """torchvision's entry for ``imagenet`` or ``imagenet-v1``; None where there is no such."""
    choices = torchvision.models.get_model_weights(without(name))
    return choices.DEFAULT if weights == IMAGENET else choices.__members__.get("IMAGENET1K_V1")


def _hub_file(url: str) -> Path:
    return checkpoints() / url.rpartition("/")[2]


def _published(name: str, weights: str, progress: Progress) -> tuple[dict[str, torch.Tensor], str]:
    if timm_networks.is_one(name):
        if weights != IMAGENET:
            raise WeightsError(
                f"timm's weights are told apart by the network's name, not by {weights}.",
                f"Name them in --arch, as `birds archs {name}` lists them, and give --weights {IMAGENET}.",
            )
        return timm_networks.published_tensors(name), f"weights that timm publishes for {name}"
    if small.is_one(name):
        raise WeightsError(f"Nobody publishes weights of {name}.", "Train it from scratch: --weights none.")
    choice = _choice(name, weights)
    if choice is None:
        known = ", ".join(torchvision.models.get_model_weights(without(name)).__members__)
        raise WeightsError(
            f"There are no weights {weights} of {name}: torchvision publishes {known}.",
            f"Give --weights {IMAGENET} for its default, or a file.",
        )
    file = _hub_file(choice.url)
    if file.is_file():
        return read_tensors(file), f"ImageNet weights {file.name} (cached)"
    progress.note(f"Downloading the ImageNet weights of {name} ({choice.meta['_file_size']:.0f} MB).")
    try:
        state = torch.hub.load_state_dict_from_url(
            choice.url, map_location="cpu", check_hash=True, weights_only=True, progress=False
        )
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        other = next((one for one in PUBLISHED if one != weights and is_cached(name, one)), None)
        raise WeightsError(
            f"The ImageNet weights of {name} could not be downloaded: {reason}.",
            (f"Those of --weights {other} are cached. " if other else "") + _NO_WEIGHTS_HINT,
        ) from error
    return _with_present_names(state), f"ImageNet weights {file.name} (downloaded)"


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A state dict in fp32, from a safetensors file or a pickled one that holds nothing but tensors and plain values.

    It may lie under ``state_dict`` or ``model``, and its names may all begin with ``module.`` or ``model.``.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.", _NO_WEIGHTS_HINT)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
            for key in _WRAPPERS:
                if isinstance(state, dict) and isinstance(state.get(key), dict):
                    state = state[key]
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise ValueError("it holds no state dict")
    except Exception as error:  # a damaged file raises whatever its bytes lead to
        first_line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"The weights file {path} cannot be read: {first_line}.", _NO_WEIGHTS_HINT) from error
    return _with_present_names(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    )


def _with_present_names(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for prefix in _PREFIXES:
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    for old, new in _RENAMED:
        state = {old.sub(new, key): value for key, value in state.items()}
    return state


def _fill(body: nn.Module, state: dict[str, torch.Tensor], name: str, source: str) -> int | None:
    """Copy what the body has from `state`; returns the classes of a head that came with it and is not taken."""
    own, state = body.state_dict(), with_derived(body, state)
    misfits = []
    for key, tensor in own.items():
        if key not in state:
            if not key.endswith("num_batches_tracked"):  # a counter that older files lack
                misfits.append(f"{key} is missing")
        elif state[key].shape != tensor.shape:
            misfits.append(f"{key} is {list(state[key].shape)} and should be {list(tensor.shape)}")
    of_head = head_names(body)
    left_out = [key for key in state if key not in own]
    # a deeper network has all that a shallower one of its family has, and more
    misfits += [f"{key} is not in it" for key in left_out if key.partition(".")[0] not in of_head]
    if misfits:
        raise WeightsError(
            f"{source} does not fit {name}: {'; '.join(misfits[:3])}{' ...' if len(misfits) > 3 else ''}.",
            "Give weights of the same architecture, with the same parameter names.",
        )
    for key, tensor in own.items():
        if key in state:
            tensor.copy_(state[key])  # not load_state_dict: MNASNet's asks for a version that files need not have
    heads = [state[key] for key in left_out if key.endswith(".weight") and not key.lower().startswith("aux")]
    return len(heads[-1]) if heads else None
