"""What every chart shares: a matplotlib figure in the colours of a light or a dark page, text that fits, PNG bytes.

Nothing is told by colour alone; the colours differ for every common kind of colour blindness (blue and orange, after
Okabe and Ito, "Color Universal Design", 2008). Names of classes come from disk: they are no mathematics to matplotlib.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.ImageFont import FreeTypeFont

WIDTH = 10  # inches
DPI = 110
POINTS = 9  # size of names and numbers


@dataclass(frozen=True)
class Theme:
    """Colours of a chart."""

    ground: str
    ink: str
    kept: str
    other: str


LIGHT = Theme(ground="#ffffff", ink="#1d2322", kept="#0060a8", other="#b04a00")
DARK = Theme(ground="#1c2220", ink="#e8ebe9", kept="#6cb6f0", other="#f0a05c")


@contextmanager
def new_figure(theme: Theme = LIGHT, *, height: float, width: float = WIDTH) -> "Iterator[Figure]":
    """A figure to draw in, laid out when the block ends; the same whatever the user's own matplotlibrc says.

    Parameters
    ----------
    height, width : inches.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot would keep the figure alive and look for a display

    with mpl.rc_context(), _quiet():
        mpl.rcdefaults()
        inks = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor", "grid.color")
        mpl.rcParams.update(dict.fromkeys(inks, theme.ink))
        mpl.rcParams.update(
            {
                "figure.facecolor": theme.ground, "axes.facecolor": theme.ground, "hatch.color": theme.other,
                "font.size": POINTS, "axes.titlesize": POINTS + 2, "figure.titlesize": POINTS + 2,
                "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
                "axes.axisbelow": True, "text.parse_math": False,
            }
        )  # fmt: skip
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        figure.draw_without_rendering()  # ticks are made when they are first drawn: in these colours
        figure.set_layout_engine("none")  # what it did stays; each drawing would do it twice again


def as_png(figure: "Figure", dpi: float = DPI) -> bytes:
    """The figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    with _quiet():
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def say(axis: "Axes", text: str) -> None:
    """A sentence in the place of a chart."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes)


@cache
def text_font(size: float) -> "FreeTypeFont":
    """The font of all text in the pictures, DejaVu Sans, which matplotlib brings along."""
    from matplotlib.font_manager import findfont
    from PIL import ImageFont

    return ImageFont.truetype(findfont("DejaVu Sans"), size)


def shortened(text: str, width: float, size: float = POINTS) -> str:
    """`text` on one line, with its middle left out where it is wider than `width`, which is in the unit of `size`."""
    text = "".join(c for c in " ".join(text.split()) if c.isprintable())
    font, shown, kept = text_font(size), text, len(text)
    while kept > 1 and font.getlength(shown) > width:
        kept -= 1
        shown = f"{text[: -(-kept // 2)]}…{text[len(text) - kept // 2 :]}"
    return shown


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # whoever shows the chart has every name as text
        yield
