"""From a file to a tensor, for fastai's DataLoaders: the same steps for validation, evaluation, prediction and export.

Everything here is a named class or function, so that a learner pickled with plain ``pickle`` loads wherever birds is
installed.
"""

import random
import unicodedata
from pathlib import Path
from typing import Any

from PIL import Image

from .. import images
from .augmentation import Augmentation
from .gate import fastai


def open_picture(path: str | Path | Image.Image) -> Any:
    """The picture in a file, upright RGB, as fastai's PILImage. Pictures already opened pass through."""
    if isinstance(path, Image.Image):
        return fastai.PILImage(path.convert("RGB"))
    return fastai.PILImage(images.open_rgb(Path(path)))


def label_of(path: Path) -> str:
    """The label of a file: its folder's name, in Unicode NFC."""
    return unicodedata.normalize("NFC", path.parent.name)


def picture_files(folder: Path) -> list[Path]:
    """Every file of ``folder/<label>/``, whatever its extension, sorted; dotted ones are not pictures."""
    if not folder.is_dir():
        return []
    return sorted(
        p
        for p in folder.glob("*/*")
        if p.is_file() and not p.name.startswith(".") and not p.parent.name.startswith(".")
    )


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
