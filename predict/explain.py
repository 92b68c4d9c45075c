"""Pictures of where the network looked, a PNG for each picture that was asked about."""

import io
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from PIL import Image

from .. import files
from .answers import Prediction

if TYPE_CHECKING:
    import numpy as np

    from ..models.bundle import LoadedModel

_LONGEST = 60  # characters of a name


class Explainer:
    """Writes Grad-CAM overlays of predictions into a folder. See `models.gradcam` for what they show.

    The pictures are those that the network saw: prepared, so without anything else that was in the file.

    Raises
    ------
    ModelError : `model` has no weights that torch can take.
    """

    def __init__(self, model: "LoadedModel", folder: Path) -> None:
        from ..models.network import load_network

        self._network = load_network(model)
        self._model, self._folder, self._count = model, folder, 0

    def write(self, prepared: "np.ndarray", prediction: Prediction) -> Path:
        """Write what speaks for the most probable class on `prepared`, uint8 [size, size, 3].

        Raises
        ------
        ModelError : the network keeps no map of the picture.
        """
        from ..models.gradcam import heat_map, overlay

        model = self._model
        heat = heat_map(self._network, prepared, model.labels.index(prediction.label), model.manifest.preprocess)
        buffer = io.BytesIO()
        overlay(Image.fromarray(prepared), heat).save(buffer, "PNG")
        self._count += 1
        stem = PurePath(prediction.file.partition("?")[0]).stem
        path = self._folder / f"{self._count:04} {_part_of_name(stem)} - {_part_of_name(prediction.label)}.png"
        files.write_bytes(path, buffer.getvalue())
        return path


def _part_of_name(text: str) -> str:
    """`text` as part of a file name that every system takes."""
    return re.sub(r"[^\w. ()+-]", "_", text)[:_LONGEST].strip(" .") or "picture"
