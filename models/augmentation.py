"""A random view of a picture, as training shows it: a part of it, perhaps mirrored, in another light.

One place draws them, for training and for features that are computed once. The crop is that of Szegedy et al. 2015
("Going deeper with convolutions"), the light is fastai's: logits of the channels are shifted and scaled.
"""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

_AREA = (0.5, 1.0)  # share of the picture that a crop keeps, as in the notebook
_ASPECT = (3 / 4, 4 / 3)
_CROP_TRIES = 10
_LIGHT = 0.2  # fastai's max_lighting
_LIGHT_CHANCE = 0.75  # of a change of brightness, and of one of contrast


@dataclass(frozen=True)
class Augmentation:
    """What may be done to a picture in training.

    Attributes
    ----------
    crop : show a part of it, half its area or more.
    flip : mirror every other one.
    colour : change brightness and contrast.
    rotate : turn by up to 10 degrees. Done by fastai batch by batch (see `data.make_dataloaders`), not by `view`.
    """

    crop: bool = True
    flip: bool = True
    colour: bool = True
    rotate: bool = True

    def view(self, image: Image.Image, size: int, chance: random.Random) -> Image.Image:
        """One random view, `size` by `size` pixels. The same state of `chance` draws the same view."""
        box = _random_box(*image.size, chance) if self.crop else (0, 0, *image.size)
        view = image.resize((size, size), Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
        if self.flip and chance.random() < 0.5:
            view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return view.point(_random_light(chance)) if self.colour else view


def _random_box(width: int, height: int, chance: random.Random) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) in pixels: a random share of the area, or all of it where none fits."""
    for _ in range(_CROP_TRIES):
        area = width * height * chance.uniform(*_AREA)
        aspect = chance.uniform(*_ASPECT)
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left, top = chance.randint(0, width - w), chance.randint(0, height - h)
            return left, top, left + w, top + h
    return 0, 0, width, height


def _random_light(chance: random.Random) -> list[int]:
    """What each of the 256 values becomes, for three channels: fastai's Brightness and Contrast as a table."""
    brightness, contrast = 0.5, 1.0
    if chance.random() < _LIGHT_CHANCE:
        brightness = chance.uniform(0.5 * (1 - _LIGHT), 0.5 * (1 + _LIGHT))
    if chance.random() < _LIGHT_CHANCE:
        contrast = (1 - _LIGHT) ** chance.uniform(-1, 1)
    value = (np.arange(256) / 255).clip(1e-7, 1 - 1e-7)
    logits = (np.log(value / (1 - value)) + np.log(brightness / (1 - brightness))) * contrast
    table: list[int] = np.rint(255 / (1 + np.exp(-logits))).astype(int).tolist()
    return table * 3
