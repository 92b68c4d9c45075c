"""A brush for smooth shapes in a bird's own coordinates: what `poses` draws with.

A bird is drawn facing right inside the square [-1, 1] x [-1, 1], y downwards; the brush places it on the canvas (scale,
turn, mirror) and either fills its shapes or, for a sketch, inks their outlines. Curves are Catmull-Rom splines.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

Colour: TypeAlias = tuple[int, int, int]
Points: TypeAlias = NDArray[np.float64] | Sequence[tuple[float, float]]
Span: TypeAlias = tuple[float, float]

_PER_SEGMENT = 6  # spline points between two control points: smooth at 400 pixels
_INK: Colour = (52, 48, 50)


def tinted(colour: Colour, factor: float) -> Colour:
    """`colour` darkened (factor < 1) or lightened towards white (factor > 1)."""
    if factor <= 1:
        return (int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor))
    keep = 2 - min(factor, 2)
    return (
        int(255 - (255 - colour[0]) * keep),
        int(255 - (255 - colour[1]) * keep),
        int(255 - (255 - colour[2]) * keep),
    )


@cache
def _basis() -> NDArray[np.float64]:
    """Catmull-Rom weights of four neighbours, shape (_PER_SEGMENT, 4)."""
    t = np.arange(_PER_SEGMENT) / _PER_SEGMENT
    return 0.5 * np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1)


def spline(points: Points, *, is_closed: bool = False) -> NDArray[np.float64]:
    """A smooth curve through `points` (n, 2); closed, or open and ending at the last one. Shape (m, 2)."""
    p = np.asarray(points, dtype=np.float64)
    padded = np.concatenate([p[-1:], p, p[:2]]) if is_closed else np.concatenate([p[:1], p, p[-1:]])
    neighbours = np.stack([padded[:-3], padded[1:-2], padded[2:-1], padded[3:]], axis=1)
    curve = np.einsum("tk,nkd->ntd", _basis(), neighbours).reshape(-1, 2)
    return curve if is_closed else np.concatenate([curve, p[-1:]])


@dataclass(frozen=True)
class Brush:
    """Draws in a bird's coordinates on a Pillow canvas.

    Attributes
    ----------
    canvas : what is drawn on, RGBA.
    matrix : shape (2, 3), bird's coordinates to pixels.
    is_sketch : ink outlines on paper instead of filled shapes.
    """

    canvas: ImageDraw.ImageDraw
    matrix: NDArray[np.float64]
    is_sketch: bool = False

    @property
    def scale(self) -> float:
        """Pixels to one unit of the bird's coordinates."""
        return math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2]))))

    def moved(self, *, at: Span = (0, 0), turn: float = 0, stretch: Span = (1, 1)) -> "Brush":
        """A brush whose origin is `at`, stretched along its axes, then turned by `turn` degrees clockwise."""
        c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        local = np.array([[c * stretch[0], -s * stretch[1], at[0]], [s * stretch[0], c * stretch[1], at[1]], [0, 0, 1]])
        return replace(self, matrix=self.matrix @ local)

    def fill(self, points: Points, colour: Colour) -> None:
        """A polygon with corners at `points` (n, 2)."""
        p = np.asarray(points, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]
        flat: list[float] = p.ravel().tolist()
        if self.is_sketch:
            self.canvas.polygon(flat, fill=(255, 255, 255, 255))
            self.canvas.line([*flat, *flat[:2]], fill=(*_INK, 255), width=max(2, round(0.016 * self.scale)))
        else:
            # The darker rim keeps neighbouring feathers of one colour apart.
            self.canvas.polygon(flat, fill=(*colour, 255), outline=(*tinted(colour, 0.8), 255))

    def blob(self, points: Points, colour: Colour) -> None:
        """A smooth closed shape through `points` (n, 2)."""
        self.fill(spline(points, is_closed=True), colour)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour, *, turn: float = 0) -> None:
        """An ellipse around (x, y), turned by `turn` degrees."""
        a = np.linspace(0, 2 * math.pi, 28, endpoint=False)
        self.moved(at=(x, y), turn=turn).fill(np.stack([rx * np.cos(a), ry * np.sin(a)], axis=1), colour)

    def limb(self, points: Points, widths: Span, colour: Colour) -> None:
        """A smooth tapering band along `points` (n, 2), `widths` wide at its two ends: necks, bills, legs, quills."""
        c = spline(points)
        along = np.gradient(c, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
        half = np.linspace(widths[0], widths[1], len(c))[:, None] / 2
        self.fill(np.concatenate([c + normal * half, (c - normal * half)[::-1]]), colour)

    def panel(
        self, lead: Points, trail: Points, colour: Colour, *, across: Span = (0, 1), along: Span = (0, 1)
    ) -> None:
        """The part of a wing between two edges of equally many points.

        `across` runs from 0 at `lead` to 1 at `trail`, `along` from 0 at the first points to 1 at the last.
        """
        a, b = spline(lead), spline(trail)
        first = round(along[0] * (len(a) - 1))
        a, b = a[first : round(along[1] * (len(a) - 1)) + 1], b[first : round(along[1] * (len(b) - 1)) + 1]
        self.fill(np.concatenate([a + (b - a) * across[0], (a + (b - a) * across[1])[::-1]]), colour)

    def quills(self, lead: Points, trail: Points, n: int, colour: Colour, *, across: Span = (0, 1)) -> None:
        """`n` thin lines from edge to edge of a wing: where its feathers meet."""
        a, b = spline(lead), spline(trail)
        for i in np.linspace(0, len(a) - 1, n + 2).round().astype(int)[1:-1]:
            ends = [tuple(a[i] + (b[i] - a[i]) * t) for t in across]
            self.limb(ends, (0.012, 0.012), colour)
