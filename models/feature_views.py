"""The ways in which a picture is shown to a frozen body: whole, mirrored, or as one of the views that training draws.

A random view is drawn from the picture's content and the view's number and nothing else: it is the same in every run,
on every machine, in whatever order pictures are computed.
"""

import random
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import images
from .augmentation import Augmentation

VIEWS = ("whole", "mirrored")
_CROP = re.compile(r"crop-(0|[1-9]\d*)", re.ASCII)


def crop_views(count: int) -> tuple[str, ...]:
    """Names of the first `count` random views."""
    return tuple(f"crop-{number}" for number in range(count))


@dataclass(frozen=True)
class View:
    """One view, by name.

    Attributes
    ----------
    side : pixels of each side of the square that comes of it.
    resize : how a whole picture becomes square, see `images.prepare`.
    augmentation : what a random view may be.
    """

    name: str
    side: int
    resize: str = images.DEFAULT_RESIZE
    augmentation: Augmentation = field(default_factory=Augmentation)

    @property
    def key(self) -> str:
        """What tells its features from those of other views of the same picture."""
        if not is_random(self.name):
            return f"{self.side}-{self.resize}-{self.name}"
        left_out = [f"-no-{what}" for what in ("crop", "flip", "colour") if not getattr(self.augmentation, what)]
        return f"{self.side}-{self.name}{''.join(left_out)}"

    def pixels(self, image: Image.Image, digest: bytes) -> NDArray[np.uint8]:
        """uint8 [side, side, 3] of the picture whose content has that SHA-256."""
        if is_random(self.name):
            chance = random.Random(f"{digest.hex()} {self.name}")
            return np.asarray(self.augmentation.view(image, self.side, chance))
        pixels = images.prepare(image, self.side, self.resize)
        return pixels[:, ::-1] if self.name == "mirrored" else pixels


def is_random(name: str) -> bool:
    """Whether the view called `name` is drawn at random. Raises ValueError where there is none of that name."""
    if name not in VIEWS and not _CROP.fullmatch(name):
        raise ValueError(f"A view is one of {VIEWS} or crop-NUMBER, not {name!r}")
    return name not in VIEWS
