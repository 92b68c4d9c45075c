"""Five small networks to train from scratch, as they stand in coursework: what a course draws on the board.

Each is a function with its options as keyword arguments, and has a name that carries them:
``bird_cnn:kernel=6,convs=2`` is ``bird_cnn(kernel=6, convs=2)``. So a run's config says all there is to say. The first
fully connected layer fits pictures of one size, an option like the others: ``bird_cnn:size=128``.

A network is a body, whose features are what its last linear layer takes, and that layer as the head; together they are
the network as drawn, with its number of parameters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import nn

from ..errors import UsageError

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's own conversion to grey
_MOST_WEIGHTS = 2**28  # of a layer, 1 GiB; twice what bird_cnn with two convolutions has
_YES_NO = {"yes": True, "no": False}
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=1),  # over channels, at each place of a map
}


class SmallNetwork(nn.Module):
    """A body: float pictures [N, 3, size, size], normalised, to features [N, features].

    Attributes
    ----------
    head_dropout : share of the features that training leaves out before the last linear layer.
    """

    def __init__(self, name: str, layers: nn.Sequential, size: int, features: int, head_dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = layers
        self.name, self.size, self.features, self.head_dropout = name, size, features, head_dropout

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if tuple(pictures.shape[2:]) != (self.size, self.size):
            shape = " x ".join(str(side) for side in pictures.shape[2:])
            raise ValueError(f"{self.name} is built for {self.size} x {self.size} pixels, not {shape}")
        features: torch.Tensor = self.layers(pictures)
        return features

    def make_head(self, classes: int) -> nn.Sequential:
        """The last linear layer, with torch's own random start."""
        dropout = [nn.Dropout(self.head_dropout)] if self.head_dropout else []
        return nn.Sequential(*dropout, nn.Linear(self.features, classes))


class Grey(nn.Module):
    """Red, green and blue [N, 3, H, W] to one channel [N, 1, H, W], with fixed weights: nothing in it is learned."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        red, green, blue = pictures[:, 0:1], pictures[:, 1:2], pictures[:, 2:3]
        return _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue


class _Stack:
    """Layers put on one another, and the shape of what comes out of the last: channels and pixels of a side."""

    def __init__(self, name: str, size: int, *, is_grey: bool = False) -> None:
        self.name, self.size = name, size
        self.layers: list[nn.Module] = [Grey()] if is_grey else []
        self.channels, self.side, self.units = 1 if is_grey else 3, size, 0

    def add(self, *layers: nn.Module) -> Self:
        self.layers += layers
        return self

    def conv(
        self,
        channels: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        batch_norm: bool = False,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> Self:
        self.add(nn.Conv2d(self.channels, channels, kernel, stride, padding))
        self.add(*([nn.BatchNorm2d(channels)] if batch_norm else []), activation())
        self.channels = channels
        return self._now((self.side + 2 * padding - kernel) // stride + 1)

    def pool(self) -> Self:
        self.add(nn.MaxPool2d(2))
        return self._now(self.side // 2)

    def linear(self, units: int, activation: Callable[[], nn.Module] = nn.ReLU) -> Self:
        if not self.units:
            self.add(nn.Flatten())
            self.units = self.channels * self.side**2
        if (weights := self.units * units) > _MOST_WEIGHTS:
            raise UsageError(
                f"{self.name} on {self.size} pixels would have a layer of {weights / 1e6:.0f} million weights.",
                "Give a smaller size, or more convolutions.",
            )
        self.add(nn.Linear(self.units, units), activation())
        self.units = units
        return self

    def finish(self, head_dropout: float = 0.0) -> SmallNetwork:
        return SmallNetwork(self.name, nn.Sequential(*self.layers), self.size, self.units, head_dropout)

    def _now(self, side: int) -> Self:
        if side < 1:
            raise UsageError(f"Pictures of {self.size} pixels are too small for {self.name}.", "Give a larger size.")
        self.side = side
        return self


def bird_cnn(*, size: int = 256, kernel: int = 3, convs: int = 4) -> SmallNetwork:
    """Convolutions of 32, 64, 128 and 256 channels, each with ReLU and pooling; 512 units with dropout.

    Parameters
    ----------
    kernel : 3 or 6 pixels of a side; the padding is 1 with either.
    convs : 2 or 4; with 2 the first two remain.
    """
    stack = _Stack("bird_cnn", size)
    for channels in (32, 64, 128, 256)[:convs]:
        stack.conv(channels, kernel, padding=1).pool()
    return stack.linear(512).finish(head_dropout=0.5)


def emoji_cnn(*, size: int = 32, activation: str = "relu") -> SmallNetwork:
    """Two convolutions and 256 units; `activation` stands after each: ``relu``, ``sigmoid`` or ``softmax``."""
    chosen = ACTIVATIONS[activation]
    stack = _Stack("emoji_cnn", size).conv(32, 3, stride=2, padding=1, activation=chosen).pool()
    return stack.conv(64, 3, padding=1, activation=chosen).linear(256, chosen).finish()


def simple_cnn(*, size: int = 28) -> SmallNetwork:
    """Two convolutions of 32 channels, one pooling, 128 units; on grey pictures, which its first step makes of RGB."""
    stack = _Stack("simple_cnn", size, is_grey=True).conv(32, 3, padding=1).conv(32, 3, padding=1).pool()
    return stack.linear(128).finish()


def alexnet_small(*, size: int = 32) -> SmallNetwork:
    """AlexNet (Krizhevsky et al. 2012) at half its channels, for small pictures."""
    stack = _Stack("alexnet_small", size).conv(48, 5, stride=2, padding=2).pool().conv(128, 5, padding=2).pool()
    for channels in (192, 192, 128):
        stack.conv(channels, 3, padding=1)
    return stack.pool().add(nn.Dropout(0.5)).linear(2048).add(nn.Dropout(0.5)).linear(2048).finish()


def base_net(*, size: int = 32, depth: int = 2, dropout: float = 0.0, batch_norm: bool = False) -> SmallNetwork:
    """Two convolutions of 5x5 and 50 units, as LeNet (LeCun et al. 1998): the one to improve step by step.

    Parameters
    ----------
    depth : convolutions, 2 to 4; the third and the fourth are 3x3 of 32 and 64 channels after the last pooling.
    dropout : share that training leaves out before each of the two linear layers.
    batch_norm : after each convolution.
    """
    stack = _Stack("base_net", size).conv(6, 5, batch_norm=batch_norm).pool()
    stack.conv(16, 5, batch_norm=batch_norm).pool()
    for channels in (32, 64)[: depth - 2]:
        stack.conv(channels, 3, padding=1, batch_norm=batch_norm)
    if dropout:
        stack.add(nn.Dropout(dropout))
    return stack.linear(50).finish(head_dropout=dropout)


@dataclass(frozen=True)
class Design:
    """One of the networks: what makes it, the size and classes it was drawn for, and what its options may be.

    ``options`` maps each name to the values it may have, as they are written; of ``dropout``, a share, to None.
    """

    build: Callable[..., SmallNetwork]
    size: int
    classes: int
    options: Mapping[str, Mapping[str, object] | None]


DESIGNS = {
    "bird_cnn": Design(bird_cnn, 256, 20, {"kernel": {"3": 3, "6": 6}, "convs": {"2": 2, "4": 4}}),
    "emoji_cnn": Design(emoji_cnn, 32, 5, {"activation": {name: name for name in ACTIVATIONS}}),
    "simple_cnn": Design(simple_cnn, 28, 10, {}),
    "alexnet_small": Design(alexnet_small, 32, 10, {}),
    "base_net": Design(base_net, 32, 25, {"depth": {"2": 2, "3": 3, "4": 4}, "dropout": None, "batch_norm": _YES_NO}),
}
MEAN = STD = (0.5, 0.5, 0.5)  # pictures from -1 to 1; the same for every channel, so that grey stays grey
_LARGEST = 1024  # pixels of a side


def is_one(name: str) -> bool:
    """Whether `name` is one of the five, with or without options."""
    return name.partition(":")[0] in DESIGNS


def design_of(name: str) -> Design:
    """What `name`, one of the five with or without options, is built by."""
    return DESIGNS[name.partition(":")[0]]


def make_body(name: str) -> SmallNetwork:
    """The network called `name`, with random weights and without its last linear layer.

    Raises
    ------
    UsageError : an option that it does not have, or a value that the option cannot have.
    """
    return design_of(name).build(**_options(name))


def size_of(name: str) -> int:
    """Pixels of a side that the network called `name` is built for. Raises UsageError as `make_body`."""
    size = _options(name).get("size", design_of(name).size)
    assert isinstance(size, int)
    return size


def with_size(name: str, size: int) -> str:
    """The name of the same network for pictures of `size`. Raises UsageError where `name` asks for another."""
    if size == size_of(name):
        return name
    if "size" in _options(name):
        raise UsageError(f"{name} is not for pictures of {size} pixels.", "Give the size in one place.")
    return f"{name}{',' if ':' in name else ':'}size={size}"


def with_option(name: str, option: str, value: str) -> str:
    """The name of the same network with one more option. Raises UsageError: it has no such one, or gives it already."""
    if option not in design_of(name).options:
        having = [one for one, design in DESIGNS.items() if option in design.options]
        raise UsageError(
            f"{name} has no {option} to set.", f"Of the small networks {', '.join(having)} has one." if having else ""
        )
    if option in _options(name):
        raise UsageError(f"{name} has its {option} in its name already.", f"Give the {option} in one place.")
    chosen = f"{name}{',' if ':' in name else ':'}{option}={value}"
    _options(chosen)  # whether it can be
    return chosen


def count_parameters(name: str) -> int:
    """Of the whole network, with the classes that it was drawn for."""
    with torch.device("meta"):  # shapes without memory
        body = make_body(name)
        head = body.make_head(design_of(name).classes)
    return sum(parameter.numel() for part in (body, head) for parameter in part.parameters())


def made(body: nn.Module) -> bool:
    """Whether `body` is of `make_body`."""
    return isinstance(body, SmallNetwork)


def _options(name: str) -> dict[str, object]:
    """The options in a name, as keyword arguments."""
    start, colon, text = name.partition(":")
    known = DESIGNS[start].options
    found: dict[str, object] = {}
    for part in text.split(",") if colon else ():
        option, equals, written = part.partition("=")
        if not equals:
            raise UsageError(f"{part!r} in {name} is no option with a value.", f"Write {start}:OPTION=VALUE.")
        if option not in ("size", *known):
            raise UsageError(f"{start} has no option {option!r}.", f"It has {', '.join(('size', *known))}.")
        if option in found:
            raise UsageError(f"{name} gives {option} twice.", "Give it once.")
        found[option] = _value(start, option, written, None if option == "size" else known[option])
    return found


def _value(start: str, option: str, written: str, allowed: Mapping[str, object] | None) -> object:
    if allowed is not None:
        if written not in allowed:
            raise UsageError(f"{option} of {start} cannot be {written!r}.", f"Choose from {', '.join(allowed)}.")
        return allowed[written]
    try:
        value = int(written) if option == "size" else float(written)
    except ValueError:
        value = -1
    if option == "size" and not 1 <= value <= _LARGEST:
        raise UsageError(f"size of {start} cannot be {written!r}.", f"Give pixels of a side, {_LARGEST} at most.")
    if option != "size" and not 0 <= value < 1:
        raise UsageError(f"{option} of {start} cannot be {written!r}.", "Give a share, such as 0.25.")
    return value
