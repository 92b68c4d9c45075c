"""How good the network of a run is: the figures that its bundle carries, and below what confidence it is unsure.

They come from the run's checkpoints through torch. What was exported is judged by `birds evaluate`, and has to agree.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import images
from ..errors import ImageError
from ..models.architectures import Classifier
from ..models.held_out import Labelled
from ..models.manifest import Preprocess
from ..models.network import normalised
from ..models.statistics import confusion_matrix, interval_of, per_class
from ..progress import Progress

RIGHT_WHERE_SURE = 0.95  # share of validation pictures that are to be right among those that are not unsure
LEAST_PICTURES = 20  # of which such a share says something
_TOO_FEW, _NEVER = 0.5, 0.95  # thresholds where nothing can be chosen, and where no choice is good enough
_BATCH = 32


def torch_probabilities(network: Classifier, prepared: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    """Class probabilities [N, classes] of prepared pictures, by the network itself in fp32."""
    with torch.inference_mode():
        pictures = normalised(prepared, preprocess).contiguous(memory_format=torch.channels_last)
        answer: np.ndarray = network(pictures).softmax(dim=1).numpy()
    return answer


@dataclass(frozen=True)
class Judged:
    """Pictures, their class probabilities [N, classes] and their true class indices [N]."""

    pictures: list[Path]
    probability: np.ndarray
    truth: np.ndarray


def judge(
    network: Classifier,
    listed: Labelled,
    labels: Sequence[str],
    preprocess: Preprocess,
    *,
    bar: str,
    progress: Progress,
) -> Judged | None:
    """What `network` makes of pictures. Unreadable ones and those of unknown labels are told and left out.

    None where no picture is left.
    """
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    pictures: list[Path] = []
    truth: list[int] = []
    rows: list[np.ndarray] = []
    with progress.bar(bar, len(listed)) as told:
        for start in range(0, len(listed), _BATCH):
            batch = []
            for path, label in listed[start : start + _BATCH]:
                try:
                    prepared = images.prepare(images.open_rgb(path), preprocess.size, preprocess.resize)
                    truth.append(labels.index(label))
                except ImageError as error:
                    progress.note(f"Not judged: {error.message}")
                except ValueError:
                    progress.note(f"Not judged: {path} is of no class of the model.")
                else:
                    batch.append(prepared)
                    pictures.append(path)
            if batch:
                rows.append(torch_probabilities(network, np.stack(batch), preprocess))
            told.advance(len(listed[start : start + _BATCH]))
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return Judged(pictures, np.concatenate(rows), np.array(truth)) if rows else None


def loss_and_accuracy(judged: Judged) -> dict[str, Any]:
    """``n``, ``loss`` (cross-entropy in nats), ``accuracy`` and its Wilson interval at 95%; None below 20 pictures."""
    probability, truth = judged.probability, judged.truth
    of_truth = probability[np.arange(len(truth)), truth].astype(np.float64)
    right = int((probability.argmax(axis=1) == truth).sum())
    interval = interval_of(right, len(truth))
    return {
        "n": len(truth),
        "loss": float(-np.log(of_truth.clip(1e-12)).mean()),
        "accuracy": right / len(truth),
        "accuracy_interval": list(interval) if interval else None,
    }


def all_figures(judged: Judged, labels: Sequence[str]) -> dict[str, Any]:
    """The same, and of each class n, precision, recall, recall_interval and f1."""
    figures = per_class(confusion_matrix(judged.truth, judged.probability.argmax(axis=1), len(labels)))
    by_label = {label: asdict(one) for label, one in zip(labels, figures, strict=True)}
    as_read_back: dict[str, Any] = json.loads(json.dumps(by_label))  # tuples as lists
    return {**loss_and_accuracy(judged), "per_class": as_read_back}


def where_sure(judged: Judged, threshold: float) -> dict[str, Any]:
    """``coverage``, the share of pictures at or above `threshold`, and ``accuracy_where_sure``, that of those."""
    is_sure = judged.probability.max(axis=1) >= threshold
    right = (judged.probability.argmax(axis=1) == judged.truth)[is_sure]
    return {"coverage": float(is_sure.mean()), "accuracy_where_sure": float(right.mean()) if len(right) else None}


def abstain_threshold(judged: Judged | None) -> float:
    """The lowest confidence at and above which at least 95% of the validation pictures are right.

    At least 20 pictures have to be that sure, else the share would be chance. With fewer than 20 pictures in all there
    is nothing to choose by, and the answer is 0.5: more likely right than wrong. Where no confidence is high enough it
    is 0.95, which is what a calibrated confidence means.
    """
    if judged is None or len(judged.truth) < LEAST_PICTURES:
        return _TOO_FEW
    confidence = judged.probability.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    right = np.cumsum((judged.probability.argmax(axis=1) == judged.truth)[order])
    confidence, counted = confidence[order], np.arange(1, len(order) + 1)
    is_last = np.append(confidence[1:] < confidence[:-1], True)  # of equally sure ones all count
    is_good = is_last & (counted >= LEAST_PICTURES) & (right >= RIGHT_WHERE_SURE * counted)
    if not is_good.any():
        return _NEVER
    lowest = float(confidence[np.flatnonzero(is_good)[-1]])
    return floor(lowest * 1e4) / 1e4  # a hair of rounding more in another format makes nobody unsure
