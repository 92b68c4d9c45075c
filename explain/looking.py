"""What a network makes of pictures with known labels: its answers, and the vectors of some of its layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import images
from ..errors import ImageError, ProjectError
from ..models.architectures import Classifier
from ..models.held_out import Labelled
from ..models.layer_outputs import outputs_of
from ..models.manifest import Preprocess
from ..models.network import normalised
from ..progress import Progress

UNKNOWN_LABEL = "unknown_label"
_BATCH = 32


@dataclass(frozen=True)
class Seen:
    """Pictures that were looked at; all of length N.

    Attributes
    ----------
    truth, predicted : class index, int64.
    confidence : probability of the predicted class.
    vectors : layer -> float32 [N, features].
    """

    files: Sequence[str]
    truth: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    vectors: Mapping[str, np.ndarray]

    @property
    def is_right(self) -> np.ndarray:
        found: np.ndarray = self.predicted == self.truth
        return found


def look(
    network: Classifier,
    preprocess: Preprocess,
    labels: Sequence[str],
    listed: Labelled,
    *,
    layers: Sequence[str],
    progress: Progress,
) -> tuple[Seen, dict[str, str]]:
    """Show every picture of `listed` that can be opened to `network`, once.

    Parameters
    ----------
    labels : of the network's outputs.
    layers : names of modules, see `layer_outputs`.

    Returns
    -------
    What was seen, in the order of `listed`; and each file that could not be, with the reason.
    """
    index = {label: number for number, label in enumerate(labels)}
    rows: list[tuple[str, int]] = []
    waiting: list[np.ndarray] = []
    skipped: dict[str, str] = {}
    logits: list[np.ndarray] = []
    vectors: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}

    def settle() -> None:
        if not waiting:
            return
        answer, found = outputs_of(network, normalised(np.stack(waiting), preprocess), list(vectors))
        logits.append(answer.softmax(dim=1).numpy())
        for layer, some in found.items():
            vectors[layer].append(some.float().numpy())
        waiting.clear()

    with progress.bar("looking", len(listed)) as bar:
        for path, label in listed:
            bar.advance()
            if label not in index:
                skipped[str(path)] = UNKNOWN_LABEL
                continue
            try:
                waiting.append(images.prepare(images.open_rgb(path), preprocess.size, preprocess.resize))
            except ImageError as error:
                skipped[str(path)] = str(error.reason)
                continue
            rows.append((str(path), index[label]))
            if len(waiting) == _BATCH:
                settle()
        settle()
    for path_, reason in skipped.items():
        progress.note(f"Not looked at ({reason}): {path_}")
    if not rows:
        raise ProjectError("None of these pictures could be looked at.", "Look at what was said of each.")
    probability = np.concatenate(logits)
    files, truth = zip(*rows, strict=True)
    seen = Seen(
        files=files,
        truth=np.array(truth, dtype=np.int64),
        predicted=probability.argmax(axis=1),
        confidence=probability.max(axis=1),
        vectors={layer: np.concatenate(some) for layer, some in vectors.items()},
    )
    return seen, skipped
