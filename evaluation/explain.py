"""What needs the network itself: a map of the pictures by its features, and where it looked on its worst mistakes."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from .. import images
from ..errors import ImageError, ModelError
from ..models import embedding
from ..models.manifest import Preprocess
from ..progress import Progress
from .results import TopLoss

if TYPE_CHECKING:
    from ..models.architectures import Classifier

_SIDE = 224  # pixels of the longer side of what is shown
_BATCH = 32


@dataclass(frozen=True)
class Shown:
    """A mistake to look at: JPEGs of the picture and of where the network saw what it took it for, without EXIF.

    ``heat`` is None where the network keeps no map.
    """

    about: TopLoss
    picture: bytes
    heat: bytes | None


def mistakes(
    network: "Classifier | None",
    preprocess: Preprocess,
    labels: Sequence[str],
    worst: Sequence[TopLoss],
    progress: Progress,
) -> list[Shown]:
    """The pictures of `worst` with Grad-CAM for the class that each was taken for."""
    shown = []
    with progress.bar("looking at the worst", len(worst)) as bar:
        for one in worst:
            bar.advance()
            try:
                image = images.open_rgb(Path(one.file))
            except ImageError:  # gone since it was judged
                continue
            prepared = images.prepare(image, preprocess.size, preprocess.resize)
            if preprocess.resize == "crop":  # the map is of what the network was given
                image = Image.fromarray(prepared)
            elif preprocess.resize == "trim":
                image = images.trim(image)
            image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            heat = _heat(network, preprocess, prepared, labels.index(one.predicted), image) if network else None
            shown.append(Shown(one, _jpeg(image), heat))
    return shown


def _heat(
    network: "Classifier", preprocess: Preprocess, prepared: np.ndarray, index: int, image: Image.Image
) -> bytes | None:
    from ..models.gradcam import heat_map, overlay

    try:
        return _jpeg(overlay(image, heat_map(network, prepared, index, preprocess)))
    except ModelError:
        return None


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80, comment=b"", exif=b"")
    return buffer.getvalue()


def feature_map(
    network: "Classifier", preprocess: Preprocess, files: Sequence[str], progress: Progress, *, seed: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures laid out so that those of like features lie near each other: t-SNE.

    See `embedding.lay_out`. Features are those that the network's last layers
    decide by, computed here, never from a cache. Distances between far groups mean nothing.

    Returns
    -------
    Indices into `files`, [k], of up to 2,000 pictures drawn with `seed`; and their places, float [k, 2]. Empty where
    there are fewer than eight.
    """
    chosen = embedding.drawn(len(files), seed=seed)
    if len(chosen) < embedding.LEAST_POINTS:
        return np.empty(0, np.int64), np.empty((0, 2))
    with progress.bar("features", len(chosen)) as bar:
        batches = []
        for batch in _prepared(preprocess, [files[int(i)] for i in chosen]):
            batches.append(_features(network, preprocess, batch))
            bar.advance(len(batch))
    points = embedding.lay_out(np.concatenate(batches), seed=seed)
    return chosen[: len(points)], points


def _prepared(preprocess: Preprocess, files: Sequence[str]) -> Iterator[np.ndarray]:
    for start in range(0, len(files), _BATCH):
        yield np.stack(
            [
                images.prepare(images.open_rgb(Path(file)), preprocess.size, preprocess.resize)
                for file in files[start : start + _BATCH]
            ]
        )


def _features(network: "Classifier", preprocess: Preprocess, prepared: np.ndarray) -> np.ndarray:
    """What the head is given, float32 [N, features]."""
    from ..models.layer_outputs import LAST, outputs_of
    from ..models.network import normalised

    _, vectors = outputs_of(network, normalised(prepared, preprocess), [LAST])
    features: np.ndarray = vectors[LAST].numpy()
    return features
