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
from .gate import fastai

_AREA = (0.5, 1.0)  # share of the picture that a random crop keeps, as in the notebook
_ASPECT = (3 / 4, 4 / 3)
_CROP_TRIES = 10


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
    """In training: a random part of the picture scaled to a square (the crop of Szegedy et al. 2015)."""

    split_idx = 0
    order = 1

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def encodes(self, picture: fastai.PILImage) -> Any:
        box = random_box(picture.width, picture.height)
        square = picture.resize((self.size, self.size), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
        return fastai.PILImage(square)


def random_box(width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) in pixels: a random share of the area, or all of it where none fits."""
    for _ in range(_CROP_TRIES):
        area = width * height * random.uniform(*_AREA)
        aspect = random.uniform(*_ASPECT)
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    return 0, 0, width, height
