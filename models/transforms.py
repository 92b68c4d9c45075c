"""From a file to a tensor, for fastai's DataLoaders: the same steps for validation, evaluation, prediction and export.

Everything here is a named class or function, so that a learner pickled with plain ``pickle`` loads wherever birds is
installed.
"""

import random
from pathlib import Path
from typing import Any

from PIL import Image

from .. import images
from .augmentation import Augmentation
from .gate import fastai
from .labelled_files import label_of, picture_files

__all__ = ["Prepare", "RandomCrop", "label_of", "open_picture", "picture_files"]  # pickled learners name them by here


def open_picture(path: str | Path | Image.Image) -> Any:
    """The picture in a file, upright RGB, as fastai's PILImage. Pictures already opened pass through."""
    if isinstance(path, Image.Image):
        return fastai.PILImage(path.convert("RGB"))
    return fastai.PILImage(images.open_rgb(Path(path)))


class Prepare(fastai.Transform):  # type: ignore[misc]  # fastai ships no types
    """`images.prepare` outside training."""

    split_idx = 1
    order = 1

    def __init__(self, size: int, resize: str) -> None:
        super().__init__()
        self.size, self.resize = size, resize

    def encodes(self, picture: fastai.PILImage) -> Any:
        return fastai.PILImage(Image.fromarray(images.prepare(picture, self.size, self.resize)))


class RandomCrop(fastai.Transform):  # type: ignore[misc]
    """In training: a random view of the picture, see `augmentation.Augmentation`, as a square.

    `chance` is set for each picture by `data.RepeatableDL`.
    """

    split_idx = 0
    order = 1
    augmentation = Augmentation()
    chance = random.Random(0)

    def __init__(self, size: int, augmentation: Augmentation = augmentation) -> None:
        super().__init__()
        self.size, self.augmentation = size, augmentation

    def encodes(self, picture: fastai.PILImage) -> Any:
        return fastai.PILImage(self.augmentation.view(picture, self.size, self.chance))
