"""A few pictures of each class, drawn with a seed: small copies for the page, and all of them on one sheet.

Shown is what was decoded and encoded again here: no bytes of strangers, no camera's position, no comment.
"""

import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from PIL import Image, ImageDraw, ImageOps

from ..drawing import LIGHT, shortened, text_font
from ..errors import ImageError
from ..files import Project
from ..images import read_plain, scaled_down
from ..moves import image_path
from ..progress import SILENT, Progress
from ..record import PictureFile

SIDE = 240  # pixels of the longer side: sharp on a screen with two pixels a point
_A_CLASS = 6
_MOST = 240  # pictures in all, unless one for each class is more: a page of some megabytes
_MOST_CLASSES = 1000
_ACROSS = 12  # tiles of a row of the sheet
_TILE = (160, 120)  # pixels
_GAP = 8
_NAME = 22  # pixels, the height of a name's line
_NAME_SIZE = 14


@dataclass(frozen=True)
class Samples:
    """``shown``: label -> JPEGs, none longer than `SIDE` pixels; ``skipped``: pictures that could not be decoded."""

    shown: dict[str, list[bytes]]
    skipped: int


def draw_samples(
    project: Project, classes: Mapping[str, Sequence[PictureFile]], seed: int, progress: Progress = SILENT
) -> Samples:
    """Up to six pictures of each class, fewer where there are many classes, and none of more than a thousand.

    What is drawn of a class depends on the seed, its own pictures and the number of classes.
    """
    each = max(1, min(_A_CLASS, _MOST // max(len(classes), 1)))
    drawn = {
        label: random.Random(f"{seed}/{label}").sample(files, min(each, len(files)))
        for label, files in islice(classes.items(), _MOST_CLASSES)
    }
    shown: dict[str, list[bytes]] = {}
    skipped = 0
    with progress.bar("sample pictures", sum(map(len, drawn.values()))) as bar:
        for label, files in drawn.items():
            shown[label] = []
            for file in files:
                try:
                    shown[label].append(scaled_down(read_plain(image_path(project, file)), SIDE))
                except ImageError:
                    skipped += 1
                bar.advance()
    return Samples(shown, skipped)


def sheet(samples: Mapping[str, Sequence[bytes]]) -> bytes:
    """All samples side by side, each class's below its name. A JPEG: photographs as a PNG take six times as much."""
    each = max(1, *map(len, samples.values()))
    across = min(len(samples), max(1, _ACROSS // each))
    width, height = each * (_TILE[0] + _GAP) + _GAP, _NAME + _TILE[1] + 2 * _GAP
    canvas = Image.new("RGB", (across * width + _GAP, -(-len(samples) // across) * height + _GAP), LIGHT.ground)
    pen = ImageDraw.Draw(canvas)
    for index, (label, pictures) in enumerate(samples.items()):
        left, top = index % across * width + _GAP, index // across * height + _GAP
        name = shortened(label, width - 2 * _GAP, _NAME_SIZE)
        pen.text((left, top), name, fill=LIGHT.ink, font=text_font(_NAME_SIZE))
        for column, picture in enumerate(pictures):
            tile = ImageOps.contain(Image.open(io.BytesIO(picture)), _TILE, Image.Resampling.LANCZOS)
            corner = left + column * (_TILE[0] + _GAP)
            canvas.paste(tile, (corner + (_TILE[0] - tile.width) // 2, top + _NAME + (_TILE[1] - tile.height) // 2))
    return _as_jpeg(canvas)


def _as_jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()
