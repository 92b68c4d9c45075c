"""What is taken off the pixels and what they are divided by: as the weights were published, or as the pictures are.

Pretrained weights expect the mean and standard deviation of the pictures they were trained on. From scratch there is
nothing to fit to, and those of one's own training pictures centre the first layer's inputs (LeCun et al. 1998,
"Efficient BackProp").
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .. import images
from ..errors import ImageError, TrainError
from ..progress import SILENT, Progress
from . import architectures

PUBLISHED, COMPUTED, NONE = "published", "computed", "none"
NORMALISATIONS = (PUBLISHED, COMPUTED, NONE)
Channels = tuple[float, float, float]  # of red, green and blue, from 0 to 1
_MOST_PICTURES = 10_000  # of more, these evenly taken: means of 10,000 pictures differ in the third place at most
_LEAST_STD = 1 / 255  # of pictures that are all of one colour
_WORKERS, _AT_ONCE = 2, 64


def normalisation_of(config: Mapping[str, Any]) -> tuple[Channels, Channels]:
    """Mean and standard deviation that the pictures of a run are normalised by, from its config.json.

    A run of published weights, or of before there was a choice, has none of its own: those of its architecture count.
    """
    architecture = architectures.find(config["arch"])
    mean, std = config.get("mean") or architecture.mean, config.get("std") or architecture.std
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def channel_statistics(
    pictures: Sequence[Path], *, size: int, resize: str, progress: Progress = SILENT
) -> tuple[Channels, Channels]:
    """Mean and standard deviation over all pixels of `pictures`, prepared as squares of `size` pixels.

    Of more than 10,000 pictures, 10,000 are looked at, evenly taken from the list: the same list gives the same
    numbers, which are rounded to five places.

    Raises
    ------
    TrainError : a picture cannot be read; it is named.
    """
    step = -(-len(pictures) // _MOST_PICTURES)
    chosen = list(pictures)[::step]

    def sums(path: Path) -> np.ndarray:
        try:
            pixels = images.prepare(images.open_rgb(path), size, resize).reshape(-1, 3) / 255
        except ImageError as error:
            raise TrainError(error.message, "Remove or replace it, then run `birds split` again.") from error
        return np.stack([pixels.mean(axis=0), (pixels**2).mean(axis=0)])

    total, waiting = np.zeros((2, 3)), iter(chosen)
    with progress.bar("mean colour", total=len(chosen)) as bar, ThreadPoolExecutor(_WORKERS) as pool:
        while some := list(islice(waiting, _AT_ONCE)):  # summed in order: the same last digit every time
            for one in pool.map(sums, some):
                total += one
                bar.advance()
    mean, squares = total / len(chosen)
    std = np.maximum(np.sqrt(np.maximum(squares - mean**2, 0)), _LEAST_STD)
    red, green, blue = ((round(float(m), 5), round(float(s), 5)) for m, s in zip(mean, std, strict=True))
    return (red[0], green[0], blue[0]), (red[1], green[1], blue[1])
