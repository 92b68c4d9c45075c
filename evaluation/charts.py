"""The confusion matrix as a picture."""

import io
from pathlib import Path

import numpy as np

from .. import files


def draw_confusion(matrix: np.ndarray, classes: list[str], path: Path) -> None:
    """A PNG of counts [classes, classes], true classes in rows; shaded by the share of the row.

    Numbers stand in the cells, so that nothing is told by colour alone; beyond 30 classes there is no room for them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot would keep the figure alive and look for a display

    n = len(classes)
    side = max(4.0, min(20.0, 2.2 + 0.55 * n))
    font = max(4.0, min(10.0, 260 / n))
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    picture = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(n), classes, rotation=45, ha="right", rotation_mode="anchor", fontsize=font, parse_math=False)
    axis.set_yticks(range(n), classes, fontsize=font, parse_math=False)
    axis.set(xlabel="predicted", ylabel="true")
    axis.set_title(f"{int(matrix.trace())} of {int(matrix.sum())} right", loc="left")
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    if n <= 30:
        for row, column in np.argwhere(matrix > 0):
            colour = "white" if share[row, column] > 0.55 else "black"
            axis.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour, fontsize=font)
    figure.colorbar(picture, ax=axis, shrink=0.7, label="share of the true class")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    files.write_bytes(path, buffer.getvalue())
