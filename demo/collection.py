"""What a search for a species finds in the demo: drawn pictures, and among them the usual dirt of a scrape."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import Image

from .draw import LABELS, draw_bird, sketch_bird

# One in so many pictures is of this kind; in 90 pictures: 2 copies, 3 near copies, 1 sketch, 1 broken, 2 mislabelled.
_DIRT = (("exact_copy", 40), ("near_duplicate", 28), ("drawing", 80), ("broken", 85), ("wrong_label", 45))


@dataclass(frozen=True)
class Picture:
    """One file of a search result.

    Attributes
    ----------
    data : the file, mostly JPEG.
    dirt : None for a good one, else exact_copy, near_duplicate, drawing, broken or wrong_label.
    """

    name: str
    data: bytes
    dirt: str | None = None


def collection(label: str, count: int = 90, seed: int = 0) -> Iterator[Picture]:
    """`count` pictures for a search for `label`, the same for the same arguments on every run.

    Copies and near copies are of pictures that came before them.
    """
    r = Random(f"birds collection {label} {seed}")
    dirt = [kind for kind, one_in in _DIRT for _ in range(round(count / one_in))]
    places = dict(zip(r.sample(range(min(5, count), count), min(len(dirt), max(0, count - 5))), dirt, strict=False))
    good: list[bytes] = []
    for number in range(count):
        kind = places.get(number)
        data, suffix = _file(kind, label, seed * 10_000 + number, good, r)
        if kind is None:
            good.append(data)
        yield Picture(f"{label} {number:03}{suffix}", data, kind)


def _file(kind: str | None, label: str, seed: int, good: list[bytes], r: Random) -> tuple[bytes, str]:
    """The bytes of one file, and the suffix of its name."""
    if kind == "exact_copy":
        return r.choice(good), ".jpg"
    if kind == "near_duplicate":
        return _near_copy(r.choice(good), r), ".jpg"
    if kind == "drawing":
        return _encoded(sketch_bird(label, seed), "PNG"), ".png"
    if kind == "wrong_label":
        other = r.choice([other for other in LABELS if other != label])
        return _encoded(draw_bird(other, seed + 5_000), "JPEG"), ".jpg"
    image = draw_bird(label, seed)
    if kind == "broken":
        data = _encoded(image, "JPEG")
        return data[: len(data) // 3], ".jpg"
    image_format, suffix = r.choices((("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")), (90, 5, 5))[0]
    return _encoded(image, image_format), suffix


def _near_copy(data: bytes, r: Random) -> bytes:
    """The same picture compressed again, a little smaller or without a thin border."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    if r.random() < 0.5:
        scale = r.uniform(0.6, 0.85)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    else:
        cut = r.uniform(0.005, 0.012)
        x, y = max(1, round(image.width * cut)), max(1, round(image.height * cut))
        image = image.crop((x, y, image.width - x, image.height - y))
    return _encoded(image, "JPEG", r.randint(55, 80))


def _encoded(image: Image.Image, image_format: str, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, quality=quality)
    return buffer.getvalue()
