"""Copies of photographs as the web is full of them, for `benchmarks/duplicates.py`: each a function of the picture.

Every copy is saved as a JPEG of quality 88 (40 where that is the point), so that each was recompressed too.
"""

import io
import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont, ImageOps

QUALITY = 88
Change = Callable[[Image.Image, random.Random], Image.Image]


def copy_of(picture: Image.Image, kind: str, name: str) -> bytes:
    """The copy of `picture` of a kind of `KINDS`, as a JPEG. What is left to chance in it hangs on `name` alone."""
    buffer = io.BytesIO()
    changed = KINDS[kind](picture, random.Random(f"{kind}/{name}"))
    changed.save(buffer, "JPEG", quality=40 if kind == "recompressed" else QUALITY)
    return buffer.getvalue()


def _cut(picture: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """Without these shares of its width and height."""
    width, height = picture.size
    edges = width * left, height * top, width * (1 - right), height * (1 - bottom)
    return picture.crop((round(edges[0]), round(edges[1]), round(edges[2]), round(edges[3])))


def _cut_at_one_side(picture: Image.Image, chance: random.Random) -> Image.Image:
    shares = [0.0] * 4
    shares[chance.randrange(4)] = chance.uniform(0.05, 0.10)
    return _cut(picture, *shares)


def _cut_off_centre(picture: Image.Image, chance: random.Random) -> Image.Image:
    return _cut(picture, *(chance.uniform(0, 0.05) for _ in range(4)))


def _write(
    picture: Image.Image, words: str, place: tuple[float, float], height: float, colour: tuple[int, ...]
) -> None:
    """Words over `picture`, from `place` on, `height` pixels high; `colour` says red, green, blue and how opaque."""
    font = ImageFont.load_default(max(8, height))
    layer = Image.new("RGBA", picture.size, (*colour[:3], 0))
    ImageDraw.Draw(layer).text(place, words, font=font, fill=colour)
    picture.paste(layer, (0, 0), layer)


def _caption(picture: Image.Image, chance: random.Random, share_over: float) -> Image.Image:
    """A strip of 12 to 15 % of the height with a line of text, at the bottom: over the picture, or added to it."""
    width, height = picture.size
    strip = round(height * chance.uniform(0.12, 0.15))
    top = round(height - strip * share_over)
    paper, ink = chance.choice([((20, 20, 20), (255, 255, 255)), ((245, 245, 240), (10, 10, 10))])
    captioned = Image.new("RGB", (width, top + strip), paper)
    captioned.paste(picture.crop((0, 0, width, top)))
    _write(captioned, "Foto de un ave · banco de fotos", (4, top + strip * 0.15), strip * 0.6, (*ink, 255))
    return captioned


def _watermark(picture: Image.Image, chance: random.Random) -> Image.Image:
    """A large pale word across the middle, a name in a corner, or a word scattered over the picture."""
    (width, height), marked = picture.size, picture.copy()
    white = (255, 255, 255)
    match chance.randrange(3):
        case 0:
            _write(marked, "birdstock.com", (width * 0.1, height * 0.43), height * 0.12, (*white, 130))
        case 1:
            _write(marked, "(c) J. Aves", (width * 0.5, height * 0.87), height * 0.07, (*white, 230))
        case _:
            for row in range(4):
                place = width * (0.05 + 0.5 * (row % 2)), height * (0.06 + 0.25 * row)
                _write(marked, "stock", place, height * 0.06, (*white, 110))
    return marked


KINDS: dict[str, Change] = {
    "resized": lambda picture, _: picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS),
    "recompressed": lambda picture, _: picture,
    "cropped": lambda picture, _: _cut(picture, 0.05, 0.05, 0.05, 0.05),
    "cropped at one side": _cut_at_one_side,
    "cropped off centre": _cut_off_centre,
    "mirrored": lambda picture, _: ImageOps.mirror(picture),
    "captioned": lambda picture, chance: _caption(picture, chance, 1),
    "caption added": lambda picture, chance: _caption(picture, chance, 0),
    "watermarked": _watermark,
}
