"""What is said of each picture, and how it is written down: as JSON, as CSV, for a person."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from ..tables import as_csv

if TYPE_CHECKING:
    import numpy as np

    from ..models.bundle import LoadedModel

_AT_ONCE = 1000  # pictures in a piece of JSON


@dataclass(frozen=True, slots=True)  # there may be 100,000 of it
class Prediction:
    """The most probable classes of one picture.

    Attributes
    ----------
    file : as it was asked for, or found in a folder.
    label, confidence : the most probable class and its calibrated probability.
    top : (label, confidence), best first.
    unsure : the confidence is below the model's threshold: better ask a person.
    """

    file: str
    label: str
    confidence: float
    top: list[tuple[str, float]]
    unsure: bool = False


@dataclass(frozen=True)
class PredictResult:
    """``predictions`` in the order asked for; ``failed`` maps each picture that could not be read to why."""

    predictions: list[Prediction]
    failed: dict[str, str] = field(default_factory=dict)


def answer(file: str, probabilities: "np.ndarray", model: "LoadedModel", labels: Sequence[str], top: int) -> Prediction:
    """What `model` says of one picture by the probabilities [classes] of its `labels`."""
    best = (-probabilities).argsort(kind="stable")[:top].tolist()
    ranked = [(labels[index], float(probabilities[index])) for index in best]
    return Prediction(file, *ranked[0], top=ranked, unsure=model.is_unsure(ranked[0][1]))


def json_pieces(result: PredictResult) -> Iterator[str]:
    """The JSON of `result`, a piece at a time: as one object, 100,000 pictures would take twice their memory again."""
    yield '{"predictions": ['
    for start in range(0, len(result.predictions), _AT_ONCE):
        rows = (json.dumps(asdict(one), ensure_ascii=False) for one in result.predictions[start : start + _AT_ONCE])
        yield (", " if start else "") + ", ".join(rows)
    yield f'], "failed": {json.dumps(result.failed, ensure_ascii=False)}}}'


def csv_table(result: PredictResult, top: int) -> str:
    """A row a picture: file, label, confidence, unsure, why it failed, then the next classes and their confidences."""
    columns = ["file", "label", "confidence", "unsure", "failed"]
    columns += [f"{name}_{rank}" for rank in range(2, top + 1) for name in ("label", "confidence")]
    answered = (
        [one.file, one.label, f"{one.confidence:.6f}", "yes" if one.unsure else "no", None]
        + [cell for label, share in one.top[1:] for cell in (label, f"{share:.6f}")]
        for one in result.predictions
    )
    failed = ([file, None, None, None, why] for file, why in result.failed.items())
    width = len(columns)
    rows = ([*row, *[None] * (width - len(row))] for rows in (answered, failed) for row in rows)
    return as_csv(columns, rows)


def in_words(prediction: Prediction) -> tuple[str, str, str]:
    """File, answer and the next classes, for a table."""
    said = f"{prediction.label} {prediction.confidence:.1%}"
    others = ", ".join(f"{label} {share:.1%}" for label, share in prediction.top[1:])
    return printable(prediction.file), f"unsure: {said}" if prediction.unsure else said, others


def printable(name: str) -> str:
    """`name` without what a terminal would take for a command: files may be called anything."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)
