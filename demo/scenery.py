"""What stands behind and under a drawn bird: blurred landscapes and perches, the same for every species.

Backgrounds are painted a few pixels to the centimetre and enlarged: the blur of a long lens, and cheap. Their large
shapes (horizons, ridges, trunks, clouds) differ from picture to picture, so that two pictures never hash alike.
"""

import math
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .brush import Brush, Colour, tinted

_SKIES: tuple[tuple[Colour, Colour], ...] = (  # at the top, at the horizon
    ((92, 146, 204), (206, 222, 232)),
    ((140, 164, 186), (222, 222, 216)),
    ((206, 208, 208), (236, 234, 228)),
    ((84, 96, 138), (240, 186, 138)),
    ((120, 186, 214), (244, 228, 190)),
    ((62, 80, 110), (150, 160, 170)),
)
_GROUNDS: tuple[Colour, ...] = (
    (70, 96, 52), (104, 128, 66), (150, 142, 84), (196, 172, 122),
    (120, 92, 66), (84, 104, 112), (60, 72, 58), (168, 158, 146),
)  # fmt: skip
_CONTRAST = 0.5  # of the background, so that the bird stands out


def _jittered(colour: Colour, r: Random, by: int = 18) -> Colour:
    shift = r.randint(-by, by)
    return tuple(max(0, min(255, c + shift + r.randint(-by // 2, by // 2))) for c in colour)  # type: ignore[return-value]


def _sky(size: tuple[int, int], r: Random) -> Image.Image:
    w, h = size
    top, low = (_jittered(c, r) for c in r.choice(_SKIES))
    t = np.linspace(0, 1, h)[:, None, None]
    lean = np.linspace(-1, 1, w)[None, :, None] * r.uniform(-0.4, 0.4)
    mix = np.clip(t + lean, 0, 1)
    return Image.fromarray((np.array(top) * (1 - mix) + np.array(low) * mix).astype(np.uint8))


def _clouds(draw: ImageDraw.ImageDraw, size: tuple[int, int], r: Random) -> None:
    w, h = size
    tone = tinted(_jittered((225, 225, 228), r), r.choice((0.55, 0.8, 1.0, 1.3)))
    for _ in range(r.randint(1, 4)):
        x, y, reach = r.uniform(0, w), r.uniform(0, h), r.uniform(0.12, 0.4) * w
        for _ in range(7):
            cx, cy, rad = x + r.uniform(-1, 1) * reach, y + r.uniform(-0.25, 0.25) * reach, r.uniform(0.2, 0.5) * reach
            draw.ellipse((cx - rad, cy - 0.6 * rad, cx + rad, cy + 0.6 * rad), fill=_jittered(tone, r, 8))
    if r.random() < 0.4:
        x, y, rad = r.uniform(0, w), r.uniform(0, 0.7 * h), r.uniform(0.06, 0.16) * w
        draw.ellipse((x - rad, y - rad, x + rad, y + rad), fill=(255, 244, 214))


def _ridges(draw: ImageDraw.ImageDraw, size: tuple[int, int], r: Random) -> None:
    w, h = size
    y, colour = r.uniform(0.2, 0.75) * h, r.choice(_GROUNDS)
    for haze in (1.45, 1.2, 1.0)[r.randint(0, 2) :]:
        crest = [(w * i / 5, y + r.uniform(-0.2, 0.2) * h) for i in range(6)]
        draw.polygon([*crest, (w, h), (0, h)], fill=tinted(_jittered(colour, r), haze))
        y += r.uniform(0.1, 0.25) * h


def _shore(draw: ImageDraw.ImageDraw, size: tuple[int, int], r: Random) -> None:
    w, h = size
    y, slope, colour = r.uniform(0.3, 0.8) * h, r.uniform(-0.15, 0.15) * h, r.choice(_GROUNDS)
    draw.polygon([(0, y - slope), (w, y + slope), (w, h), (0, h)], fill=colour)
    for _ in range(r.randint(6, 16)):
        x, at, reach = r.uniform(0, w), r.uniform(y, h), r.uniform(0.05, 0.3) * w
        draw.ellipse((x - reach, at - 0.02 * h, x + reach, at + 0.03 * h), fill=tinted(colour, r.uniform(0.75, 1.3)))


def _foliage(draw: ImageDraw.ImageDraw, size: tuple[int, int], r: Random) -> None:
    w, h = size
    colour = r.choice(_GROUNDS)
    if r.random() < 0.7:
        draw.rectangle((0, 0, w, h), fill=tinted(colour, r.uniform(0.5, 1.0)))
    for _ in range(r.randint(14, 40)):
        x, y, rad = r.uniform(0, w), r.uniform(0, h), r.uniform(0.03, 0.2) * w
        draw.ellipse((x - rad, y - rad, x + rad, y + rad), fill=tinted(_jittered(colour, r), r.uniform(0.6, 1.35)))


def _trunks(draw: ImageDraw.ImageDraw, size: tuple[int, int], r: Random) -> None:
    w, h = size
    colour = r.choice(_GROUNDS)
    for _ in range(r.randint(2, 6)):
        x, lean, half = r.uniform(0, w), r.uniform(-0.2, 0.2) * w, r.uniform(0.02, 0.1) * w
        bole = [(x - half, h), (x + half, h), (x + lean + 0.7 * half, 0), (x + lean - 0.7 * half, 0)]
        draw.polygon(bole, fill=tinted(_jittered(colour, r), r.uniform(0.5, 1.1)))


def _cliff(draw: ImageDraw.ImageDraw, size: tuple[int, int], r: Random) -> None:
    w, h = size
    colour, edge, side = r.choice(_GROUNDS), r.uniform(0.25, 0.7) * w, r.choice((0, w))
    draw.polygon([(edge, 0), (edge + r.uniform(-0.25, 0.25) * w, h), (side, h), (side, 0)], fill=colour)
    for _ in range(r.randint(5, 10)):
        x, y, reach = r.uniform(min(edge, side), max(edge, side)), r.uniform(0, h), r.uniform(0.06, 0.25) * w
        facet = [(x, y), (x + reach, y + r.uniform(-0.1, 0.2) * h), (x + r.uniform(-0.3, 0.3) * reach, y + reach)]
        draw.polygon(facet, fill=tinted(colour, r.uniform(0.7, 1.3)))


def background(size: tuple[int, int], r: Random) -> Image.Image:
    """A hazy landscape of `size` pixels (width, height), RGB, out of focus as behind a bird near the camera."""
    coarse = r.uniform(3, 8)
    small = (max(8, round(size[0] / coarse)), max(8, round(size[1] / coarse)))
    image = _sky(small, r)
    draw = ImageDraw.Draw(image)
    if r.random() < 0.4:
        _clouds(draw, small, r)
    for layer in r.sample((_ridges, _shore, _foliage, _trunks, _cliff), r.choice((0, 1, 1))):
        layer(draw, small, r)
    blurred = np.asarray(image.filter(ImageFilter.GaussianBlur(2)), dtype=np.float32)
    mean = blurred.mean((0, 1), keepdims=True)
    hazy = Image.fromarray((mean + (blurred - mean) * _CONTRAST).astype(np.uint8))
    return hazy.resize(size, Image.Resampling.BICUBIC)


def branch(b: Brush, y: float, r: Random) -> None:
    """A branch right across the picture at height `y`, with twigs and leaves."""
    bark, leaf = tinted(r.choice(_GROUNDS), 0.7), r.choice(_GROUNDS)
    slope, sag, girth = r.uniform(-0.3, 0.3), r.uniform(-0.06, 0.06), r.uniform(0.07, 0.15)
    b = b.moved(at=(0, y + girth / 2))
    b.limb(
        [(-2.4, -2.4 * slope), (-0.9, sag - 0.9 * slope), (0, 0), (0.9, 0.9 * slope - sag), (2.4, 2.4 * slope)],
        (1.3 * girth, 0.7 * girth),
        bark,
    )
    for _ in range(r.randint(1, 4)):
        x, turn, reach = r.uniform(-1.4, 1.4), r.uniform(-60, 60) + r.choice((-90, 90)), r.uniform(0.25, 0.6)
        twig = b.moved(at=(x, x * slope), turn=turn)
        twig.limb([(0, 0), (reach / 2, 0.05), (reach, 0)], (0.05, 0.02), bark)
        for t in np.linspace(0.3, 1, r.randint(0, 5)):
            side, green, tilt = r.choice((-0.07, 0.07)), r.uniform(0.7, 1.2), r.uniform(-60, 60)
            twig.oval(reach * t, side, 0.11, 0.05, tinted(leaf, green), turn=tilt)


def ground(b: Brush, y: float, r: Random) -> None:
    """Earth, stones and grass from height `y` down."""
    colour, slope = r.choice(_GROUNDS), r.uniform(-0.08, 0.08)
    b.blob(
        [(-3, y + 0.2), (-1.2, y - slope), (0, y - 0.03), (1.2, y + slope), (3, y + 0.2), (3, 4), (-3, 4)],
        tinted(colour, r.uniform(0.7, 1.1)),
    )
    for _ in range(r.randint(4, 12)):
        x, tall = r.uniform(-1.5, 1.5), r.uniform(0.08, 0.35)
        if r.random() < 0.7:
            b.limb(
                [(x, y + 0.12), (x + 0.03, y + 0.1 - tall / 2), (x + r.uniform(-0.2, 0.2), y + 0.1 - tall)],
                (0.035, 0.01),
                tinted(colour, r.uniform(0.5, 1.3)),
            )
        else:
            b.oval(x, y + r.uniform(0.1, 0.4), tall / 2, tall / 3, tinted(colour, r.uniform(0.6, 1.3)))


def post(b: Brush, y: float, r: Random) -> None:
    """A stump, rock or fence post with its top at height `y`."""
    colour, half, lean = r.choice(_GROUNDS), r.uniform(0.22, 0.6), r.uniform(-0.15, 0.15)
    b.blob(
        [
            (-half, y + 0.04),
            (0, y - 0.02),
            (half, y + 0.04),
            (half * 1.2 + lean, y + 1.2),
            (half * 1.3 + lean, 4),
            (-half * 1.3 + lean, 4),
            (-half * 1.2 + lean, y + 1.2),
        ],
        tinted(colour, 0.85),
    )
    for _ in range(r.randint(2, 6)):
        x = r.uniform(-0.8, 0.8) * half
        b.limb(
            [(x, y + r.uniform(0.1, 0.5)), (x + lean * 0.3, y + r.uniform(0.7, 1.4))], (0.03, 0.01), tinted(colour, 0.6)
        )


def wire(b: Brush, y: float, r: Random) -> None:
    """A wire or cane across the picture at height `y`."""
    slope, thick = r.uniform(-0.2, 0.2), r.uniform(0.025, 0.06)
    b.limb(
        [(-2.6, y - 2.6 * slope), (0, y + thick / 2), (2.6, y + 2.6 * slope)],
        (thick, thick),
        tinted(r.choice(_GROUNDS), 0.5),
    )


def perch(b: Brush, y: float, r: Random) -> None:
    """Something to stand on at height `y`, whichever bird comes."""
    r.choice((branch, branch, ground, post, wire))(b, y, r)


def stray_branch(b: Brush, r: Random) -> None:
    """Sometimes a branch at the edge, so that an empty sky around the bird says little."""
    if r.random() < 0.4:
        far = b.moved(turn=r.uniform(0, 360))
        branch(far, r.uniform(0.8, 1.1) * math.copysign(1, r.random() - 0.5), r)
