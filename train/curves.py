"""The picture of a run's history."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import files


def draw_curves(history: Sequence[dict[str, Any]], path: Path) -> None:
    """Loss, accuracy and learning rate by epoch as a PNG, the phases told apart, the best epoch marked."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure  # pyplot would keep the figure alive and look for a display
    from matplotlib.ticker import MaxNLocator

    epochs = range(1, len(history) + 1)
    best = min(range(len(history)), key=lambda i: float(history[i]["valid_loss"]))
    starts = [i for i in range(1, len(history)) if history[i]["phase"] != history[i - 1]["phase"]]
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    axes[0].plot(epochs, [row["train_loss"] for row in history], "o-", color="#777777", markersize=3, label="training")
    axes[0].plot(
        epochs, [row["valid_loss"] for row in history], "s-", color="#0060a8", markersize=4, label="validation"
    )
    axes[0].set(title="Loss (cross-entropy, nats)", ylim=(0, None))
    axes[1].plot(
        epochs, [row["valid_accuracy"] for row in history], "s-", color="#0060a8", markersize=4, label="validation"
    )
    axes[1].set(title="Accuracy", ylim=(0, 1))
    axes[2].step(epochs, [row["lr"] for row in history], where="mid", color="#b04a00")
    axes[2].set(title="Learning rate of the head", yscale="log")
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(alpha=0.25)
        for start in starts:
            axis.axvline(start + 0.5, color="#999999", linestyle=":")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].plot(
        best + 1, history[best]["valid_loss"], "*", color="#d02020", markersize=13, label="best epoch", zorder=5
    )
    axes[0].legend(frameon=False)
    phases = list(dict.fromkeys(str(row["phase"]) for row in history))
    figure.suptitle(
        f"{' | '.join(phases)}: lowest validation loss {history[best]['valid_loss']:.4f} in epoch {best + 1}"
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    files.write_bytes(path, buffer.getvalue())
