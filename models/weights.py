"""Pretrained weights: torchvision's, from torch hub's cache or the network, or a file of torchvision's names.

Files are read without running code from them (safetensors, or ``torch.load(weights_only=True)``).
"""

from pathlib import Path
from urllib.error import URLError

import torch
from torch import nn

from ..errors import WeightsError
from .gate import torchvision

NONE, IMAGENET = "none", "imagenet"
_NO_WEIGHTS_HINT = "Give a file with --weights FILE, or train from scratch with --no-pretrained."


def load_pretrained(body: nn.Module, name: str, weights: str) -> str:
    """Fill `body` (see `architectures.make_body`) and say in words what it was filled with.

    Parameters
    ----------
    name : the architecture.
    weights : ``imagenet``, or the path of a ``.safetensors``, ``.pth`` or ``.pt`` file.

    Raises
    ------
    WeightsError : not to be had, unreadable, or of another architecture; names the first tensors that do not fit.
    """
    if weights == IMAGENET:
        state, source = _imagenet(name)
    else:
        state, source = read_tensors(Path(weights)), str(weights)
    _fill(body, state, name, source)
    if hasattr(body, "transform_input"):  # GoogLeNet's and Inception's weights expect inputs from -1 to 1
        body.transform_input = True  # type: ignore[assignment]  # a plain attribute of theirs
    return source


def cached_file(name: str) -> Path | None:
    """The file in torch hub's cache that holds ImageNet weights of `name`; torchvision's default ones come first."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    choices = torchvision.models.get_model_weights(name)
    for choice in (choices.DEFAULT, *choices):
        file: Path = folder / choice.url.rpartition("/")[2]
        if file.is_file():
            return file
    return None


def _imagenet(name: str) -> tuple[dict[str, torch.Tensor], str]:
    if file := cached_file(name):
        return read_tensors(file), f"ImageNet weights {file.name} (cached)"
    url = torchvision.models.get_model_weights(name).DEFAULT.url
    try:
        state = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, weights_only=True, progress=False
        )
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(
            f"The ImageNet weights of {name} could not be downloaded: {reason}.", _NO_WEIGHTS_HINT
        ) from error
    return state, f"ImageNet weights {url.rpartition('/')[2]} (downloaded)"


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A state dict in fp32, from a safetensors file or a pickled one that holds nothing but tensors."""
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.", _NO_WEIGHTS_HINT)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise ValueError("it holds no state dict")
    except Exception as error:  # a damaged file raises whatever its bytes lead to
        first_line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"The weights file {path} cannot be read: {first_line}.", _NO_WEIGHTS_HINT) from error
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def _fill(body: nn.Module, state: dict[str, torch.Tensor], name: str, source: str) -> None:
    """Copy what the body has from `state`; a head that comes with it is dropped."""
    misfits = []
    own = body.state_dict()
    for key, tensor in own.items():
        if key not in state:
            if not key.endswith("num_batches_tracked"):  # a counter that older files lack
                misfits.append(f"{key} is missing")
        elif state[key].shape != tensor.shape:
            misfits.append(f"{key} is {list(state[key].shape)} and should be {list(tensor.shape)}")
    if misfits:
        raise WeightsError(
            f"{source} does not fit {name}: {'; '.join(misfits[:3])}{' ...' if len(misfits) > 3 else ''}.",
            "Give weights of the same architecture, with torchvision's parameter names.",
        )
    body.load_state_dict({key: state.get(key, tensor) for key, tensor in own.items()})
