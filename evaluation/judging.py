"""What an exported model says of pictures with known labels, a batch at a time: each is read and decoded once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from .. import images
from ..errors import ImageError, ProjectError
from ..fingerprints import GRAY_SIDE, HASHES, fingerprint
from ..models.held_out import Labelled
from ..models.manifest import Preprocess
from ..models.statistics import losses
from ..progress import Progress
from ..reasons import Reason

if TYPE_CHECKING:
    from PIL import Image

UNKNOWN_LABEL = "unknown_label"
_BATCH = 8  # onnxruntime keeps the memory of its largest batch


class Judge(Protocol):
    """An engine of `models/engines.py`, or anything that answers as one does."""

    @property
    def name(self) -> str: ...

    def probabilities(self, prepared: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Judged:
    """Pictures with their true labels and what the model says of them; all of length N.

    Attributes
    ----------
    truth : class index, int64.
    probability : float32 [N, classes].
    sha256 : of the files.
    hashes, grays : their fingerprints, uint64 [N, HASHES] and uint8 [N, side, side]; see `fingerprints.py`.
    """

    files: np.ndarray
    truth: np.ndarray
    probability: np.ndarray
    sha256: np.ndarray
    hashes: np.ndarray
    grays: np.ndarray

    def __len__(self) -> int:
        return len(self.files)

    @property
    def predicted(self) -> np.ndarray:
        found: np.ndarray = self.probability.argmax(axis=1)
        return found

    @property
    def confidence(self) -> np.ndarray:
        found: np.ndarray = self.probability.max(axis=1)
        return found

    @property
    def is_right(self) -> np.ndarray:
        found: np.ndarray = self.predicted == self.truth
        return found

    @property
    def losses(self) -> np.ndarray:
        return losses(self.probability, self.truth)

    def where(self, chosen: np.ndarray) -> Self:
        """Those at these indices, or where a mask is true."""
        return type(self)(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def judge(
    engine: Judge, preprocess: Preprocess, labels: Sequence[str], listed: Labelled, progress: Progress
) -> tuple[Judged, dict[str, str]]:
    """Judge every picture of `listed` that can be.

    Parameters
    ----------
    labels : of the model's outputs.
    listed : the same file may stand under two labels.

    Returns
    -------
    What was judged, in the order of `listed`; and each file that could not be, with the reason.
    """
    index = {label: number for number, label in enumerate(labels)}
    rows: list[tuple[str, int, str]] = []
    prints: list[tuple[np.ndarray, np.ndarray]] = []
    probability: list[np.ndarray] = []
    skipped: dict[str, str] = {}
    waiting: list[np.ndarray] = []

    def settle() -> None:
        if waiting:
            probability.append(engine.probabilities(np.stack(waiting)).astype(np.float32))
            waiting.clear()

    with progress.bar("judging", len(listed)) as bar:
        for path, label in listed:
            bar.advance()
            try:
                reason = None
                if label in index:
                    image, digest = _read(path)
                else:
                    reason = UNKNOWN_LABEL
            except ImageError as error:
                reason = str(error.reason)
            if reason:
                name = printable(path)
                skipped[name] = reason
                progress.note(f"Not judged ({reason}): {name}")
                continue
            waiting.append(images.prepare(image, preprocess.size, preprocess.resize))
            rows.append((str(path), index[label], digest))
            looks = fingerprint(image)
            prints.append((np.frombuffer(looks.hashes, "<u8"), np.frombuffer(looks.gray, np.uint8)))
            if len(waiting) == _BATCH:
                settle()
        settle()
    if not rows:
        raise ProjectError(
            f"No picture of the model's classes ({', '.join(labels)}) could be judged.",
            "The folder should hold one folder of pictures for each label.",
        )
    files, truth, digests = zip(*rows, strict=True)
    hashes, grays = zip(*prints, strict=True)
    judged = Judged(
        files=np.array(files, dtype=object),
        truth=np.array(truth, dtype=np.int64),
        probability=np.concatenate(probability),
        sha256=np.array(digests, dtype=object),
        hashes=np.stack(hashes).reshape(-1, HASHES),
        grays=np.stack(grays).reshape(-1, GRAY_SIDE, GRAY_SIDE),
    )
    return judged, skipped


def _read(path: Path) -> "tuple[Image.Image, str]":
    """The picture in `path`, RGB and upright, and the SHA-256 of the file."""
    if printable(path) != str(path):
        raise ImageError(f"The name of {printable(path)} is no Unicode.", reason=Reason.UNREADABLE)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror}.", reason=Reason.UNREADABLE) from error
    return images.decode(data).image, images.sha256(data)


def printable(path: Path) -> str:
    """Its name as tables and pages can hold it: what is no Unicode in it becomes question marks."""
    return str(path).encode(errors="replace").decode()
