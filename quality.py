"""What can be measured of a picture's quality, all from one small grey copy, and the score of each check on it.

The ideas are CleanVision's (percentiles of brightness, entropy of grey levels) and Crété's ("The blur effect", SPIE
6492, 2007: how much of a picture's variation another blur leaves). `Quality.sharpness` looks at the strongest edges
alone: a bird in focus before a blurred background is a good photograph.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from .images import MIN_SIDE
from .reasons import Reason

if TYPE_CHECKING:
    import numpy as np

    Grey = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

LONGER_SIDE = 160  # pixels of the copy; what is lost in it, a network that is shown 224 hardly sees either
_WHITE = 250  # grey level of 255 from which JPEG's rounding hides nothing more
_EDGES = 98  # percentile of the differences from which they are the strongest edges
_NEAR, _FAR = 4, 9  # pixels: over what an edge is judged; the width of Crété's blur
_BORDER = 3  # pixels
_SAME = 8  # grey levels; paper and what JPEG adds stay within
_PAPER = (190, 240)  # grey levels from which a border begins to look like paper, and surely does
_SLOPE = 0.25  # `Quality.sharpness` of an edge that rises evenly
_SOFTNESS_WEIGHT = 23  # bits; with it the sum parts drawings from photographs best (logistic regression)
_DRAWN, _PHOTOGRAPHED = 7.5, 13.5  # bits of that sum: few photographs are below the first, half above the second
_IS_PAPER = 0.75
_LARGE_ENOUGH = 10 * MIN_SIDE  # pixels of the shorter side, for the highest score


@dataclass(frozen=True)
class Quality:
    """Measures of one picture, brightness as 0 (black) to 1 (white).

    Attributes
    ----------
    highlights : brightness that 5 % of the pixels reach.
    glare : brightness that all but 1 % of the pixels reach, plus the share of pure white ones; up to 2.
    contrast : difference of brightness over four pixels that the strongest edges reach.
    entropy : bits of the grey levels' histogram, 0 (one level) to 8.
    sharpness : how much of the strongest edges' rise over four pixels lies in one, 0.25 (a slope) to 1 (a step).
    softness : share of the variation that another blur would leave, 0 (hard outlines, noise) to 1 (all is soft).
    paper : share of the border that has one bright level, as around drawings, text and cut-out figures; 0 to 1.
    """

    highlights: float
    glare: float
    contrast: float
    entropy: float
    sharpness: float
    softness: float
    paper: float


def quality(image: Image.Image) -> Quality:
    """Measure `image`: RGB, upright. It may be a reduced copy whose longer side is `LONGER_SIDE` pixels or more.

    Edges are measured along rows and along columns. Of the two the more blurred counts, since a hand that shakes blurs
    one alone; of their contrasts the stronger.
    """
    import numpy as np

    grey = _small_grey(image)
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    reached = shares.cumsum()
    some = shares[shares > 0]
    edges = [_edges(lines) for lines in (grey, grey.T)]
    return Quality(
        highlights=int(np.searchsorted(reached, 0.95)) / 255,
        glare=int(np.searchsorted(reached, 0.01)) / 255 + float(shares[_WHITE:].sum()),
        contrast=max(contrast for contrast, _ in edges),
        entropy=max(0.0, -float(some @ np.log2(some))),
        sharpness=min(sharpness for _, sharpness in edges),
        softness=max(_softness(lines) for lines in (grey, grey.T)),
        paper=_paper(grey),
    )


def scores(measured: Quality, width: int, height: int) -> dict[str, float]:
    """The score of each check, by the name of its `Reason`: 0 to 1, the lower the worse, as CleanVision has them.

    Parameters
    ----------
    width, height : pixels of the upright picture, before any reduction.
    """
    tones = measured.entropy + _SOFTNESS_WEIGHT * measured.softness  # a drawing has few, and outlines are hard
    glare = measured.glare if measured.paper < _IS_PAPER else 0.0  # white paper is no fault of the exposure
    found = {
        Reason.TOO_SMALL: min(width, height) / _LARGE_ENOUGH,
        Reason.ODD_ASPECT: min(width, height) / max(width, height),
        Reason.BLANK: measured.contrast,
        Reason.DARK: measured.highlights,
        Reason.OVER_EXPOSED: 1 - glare,
        Reason.BLURRED: (measured.sharpness - _SLOPE) / (1 - _SLOPE),
        Reason.NOT_A_PHOTOGRAPH: min(1 - measured.paper, (tones - _DRAWN) / (_PHOTOGRAPHED - _DRAWN)),
    }
    return {check.value: round(min(1.0, max(0.0, score)), 4) for check, score in found.items()}


def _small_grey(image: Image.Image) -> "Grey":
    import numpy as np

    copy = image.convert("L")
    scale = LONGER_SIDE / max(copy.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in copy.size)
        copy = copy.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(copy)


def _difference(lines: "Grey", step: int) -> "Grey":
    """Absolute difference of pixels `step` apart."""
    import numpy as np

    ahead, behind = lines[:, step:], lines[:, :-step]
    result: Grey = np.maximum(ahead, behind) - np.minimum(ahead, behind)
    return result


def _edges(lines: "Grey") -> tuple[float, float]:
    """Contrast and sharpness along the rows; 0 and 1 where nothing changes."""
    import numpy as np

    if lines.shape[1] <= _NEAR:
        return 0.0, 1.0
    rises, steps = _difference(lines, _NEAR), _difference(lines, 1)
    steepest = np.maximum.reduce([steps[:, at : at + rises.shape[1]] for at in range(_NEAR)])
    place = rises.size * _EDGES // 100
    contrast = int(np.partition(rises, place, axis=None)[place])
    strongest = rises >= max(1, contrast)
    rise = int(rises[strongest].sum())
    return contrast / 255, min(1.0, int(steepest[strongest].sum()) / rise) if rise else 1.0


def _softness(lines: "Grey") -> float:
    """Along the rows, blurred by a mean over `_FAR` pixels: it changes by what enters it less what leaves it."""
    import numpy as np

    if lines.shape[1] <= _FAR:
        return 0.0
    first = _FAR // 2
    sharp = _FAR * _difference(lines, 1)[:, first : first + lines.shape[1] - _FAR].astype(np.uint16)
    total = int(sharp.sum())
    return int(np.minimum(sharp, _difference(lines, _FAR)).sum()) / total if total else 0.0


def _paper(grey: "Grey") -> float:
    import numpy as np

    sides = grey[:_BORDER], grey[-_BORDER:], grey[:, :_BORDER], grey[:, -_BORDER:]
    border = np.sort(np.concatenate([side.ravel() for side in sides]))
    level = int(border[border.size // 2])
    first, last = np.searchsorted(border, (level - _SAME, level + _SAME + 1))
    begins, surely = _PAPER
    return float(last - first) / border.size * min(1.0, max(0.0, (level - begins) / (surely - begins)))
