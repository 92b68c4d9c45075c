"""Birds drawn by code: the pictures of `birds demo`, which needs neither network nor anybody's photographs.

Six species are told apart by silhouette and pattern. Plumage, light and background come from pools that all of them
share, so a model that looks at colour alone learns next to nothing (tests/demo/test_draw.py holds that).
"""

import unicodedata
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from ..errors import UsageError
from .brush import Brush, Colour, tinted
from .poses import SPECIES, Plumage
from .scenery import background

LABELS: tuple[str, ...] = tuple(SPECIES)

_SUPERSAMPLING = 1.6
_SIDES = (240, 420)  # pixels
_DARKS: tuple[Colour, ...] = ((36, 34, 38), (58, 44, 38), (44, 54, 76), (84, 58, 42), (66, 66, 70), (52, 62, 48))
_LIGHTS: tuple[Colour, ...] = (
    (240, 234, 222),
    (224, 206, 174),
    (214, 216, 220),
    (190, 158, 116),
    (198, 128, 84),
    (162, 170, 176),
)
_ACCENTS: tuple[Colour, ...] = (
    (228, 120, 36),
    (206, 58, 44),
    (238, 190, 60),
    (92, 88, 86),
    (46, 42, 44),
    (196, 172, 140),
)
_IRISES: tuple[Colour, ...] = ((240, 150, 30), (244, 204, 60), (120, 70, 36), (216, 224, 228), (200, 70, 40))


def _random(purpose: str, label: str, seed: int) -> Random:
    """A generator seeded by text: Python's own `hash` differs from process to process, this does not."""
    return Random(f"birds {purpose} {label} {seed}")


def _plumage(r: Random) -> Plumage:
    """Colours at random from pools that all species share; only where light and dark lie tells them apart."""
    dark, light = r.choice(_DARKS), r.choice(_LIGHTS)
    soft = tinted(light, r.choice((0.82, 1.2)))
    return Plumage(light, dark, soft, r.choice(_ACCENTS), r.choice(_ACCENTS), r.choice(_IRISES))


def _brush(canvas: Image.Image, r: Random, *, is_sketch: bool = False) -> Brush:
    """A brush that places the bird at random: size, position, side it looks to."""
    w, h = canvas.size
    fill = r.uniform(0.85, 1.05)
    unit = fill * min(w, h) / 2
    x = w / 2 + r.uniform(-1, 1) * (0.5 * (w - 2 * unit) + 0.03 * w)
    y = h / 2 + r.uniform(-1, 1) * (0.5 * (h - 2 * unit) + 0.03 * h)
    facing = r.choice((-1, 1))
    return Brush(ImageDraw.Draw(canvas), np.array([[facing * unit, 0, x], [0, unit, y]]), is_sketch)


def _shading(alpha: Image.Image, r: Random) -> NDArray[np.float32]:
    """Light on the bird, around 1, shape (height, width): brighter where its edge faces the sun, and mottled."""
    w, h = alpha.size
    coarse = (w // 4, h // 4)
    soft = np.asarray(alpha.resize(coarse).filter(ImageFilter.GaussianBlur(0.022 * w)), dtype=np.float32) / 255
    reach, across = max(2, w // 50), r.randint(-4, 4)
    lit = np.roll(soft, (-reach, across), (0, 1)) - np.roll(soft, (reach, -across), (0, 1))
    grain = np.random.default_rng(r.getrandbits(64)).standard_normal(lit.shape, dtype=np.float32)
    light = 1 + r.uniform(0.25, 0.6) * lit + 0.05 * grain
    return np.asarray(Image.fromarray(light).resize((w, h), Image.Resampling.BICUBIC))


def _photographed(scene: Image.Image, bird: Image.Image, r: Random) -> Image.Image:
    """The RGBA `bird` over `scene`, lit, exposed and with a sensor's noise, as from a camera."""
    alpha = bird.getchannel("A")
    lit = np.asarray(bird.convert("RGB"), dtype=np.float32) * _shading(alpha, r)[..., None]
    cover = np.asarray(alpha, dtype=np.float32)[..., None] / 255
    behind = np.asarray(scene, dtype=np.float32)
    out = behind + (lit - behind) * cover
    warmth = r.uniform(-0.08, 0.08)
    exposure = r.uniform(0.75, 1.2)
    out *= np.array([exposure * (1 + warmth), exposure, exposure * (1 - warmth)], dtype=np.float32)
    h, w = cover.shape[:2]
    out += np.random.default_rng(r.getrandbits(64)).standard_normal((h, w, 1), dtype=np.float32) * r.uniform(1, 6)
    image = Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(r.uniform(0.4, 0.9))) if r.random() < 0.25 else image


def _known(label: str) -> str:
    name = unicodedata.normalize("NFC", label)
    if name not in SPECIES:
        raise UsageError(f"No drawing of {label!r}.", f"The demo draws {', '.join(LABELS)}.")
    return name


def _size(r: Random) -> tuple[int, int]:
    long = r.randint(300, _SIDES[1])
    short = max(_SIDES[0], round(long * r.uniform(0.66, 1.0)))
    return (long, short) if r.random() < 0.65 else (short, long)


def draw_bird(label: str, seed: int, size: tuple[int, int] | None = None) -> Image.Image:
    """A picture of a bird, RGB, the same for the same (label, seed, size) on every run.

    Parameters
    ----------
    label : one of `LABELS`.
    seed : which of its pictures.
    size : (width, height) in pixels; by default varied, 240 to 420 a side.

    Raises
    ------
    UsageError : nobody taught it to draw that species.
    """
    label = _known(label)
    r = _random("photograph", label, seed)
    varied = _size(r)
    size = size or varied
    scene = background(size, r)
    large = Image.new("RGBA", (round(size[0] * _SUPERSAMPLING), round(size[1] * _SUPERSAMPLING)), (90, 84, 78, 0))
    SPECIES[label](_brush(large, r), _plumage(r), r)
    return _photographed(scene, large.resize(size, Image.Resampling.BOX), r)


def sketch_bird(label: str, seed: int, size: tuple[int, int] = (360, 320)) -> Image.Image:
    """The same bird as line art on paper, RGB: what an image search mixes in with the photographs."""
    label = _known(label)
    r = _random("sketch", label, seed)
    paper = r.choice(((255, 255, 255), (250, 246, 236)))
    large = Image.new("RGBA", (2 * size[0], 2 * size[1]), (*paper, 255))
    SPECIES[label](_brush(large, r, is_sketch=True), _plumage(r), r)
    return large.convert("RGB").resize(size, Image.Resampling.BOX)
