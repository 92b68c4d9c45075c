"""What an exported model says of pictures, however many: memory does not grow with them, but for the answers."""

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from .. import images
from ..errors import FetchError, ImageError, UsageError
from ..models import engine_choice
from ..models.bundle import LoadedModel, load
from ..models.engines import ENGINES, Engine, open_engine
from ..progress import SILENT, Progress
from .ahead import in_threads
from .answers import Prediction, PredictResult, answer
from .explain import Explainer
from .inputs import STANDARD_INPUT, Reader, as_shown, expand, is_url

if TYPE_CHECKING:
    import numpy as np

__all__ = ["AUTO", "PredictResult", "Prediction", "predict"]

AUTO = "auto"
# Pictures at a time. On a CPU more are no faster, and take memory: MobileNetV2 by onnxruntime 34 ms of processor time a
# picture and a peak of 340 MB with 4, 37 ms and 940 MB with 16.
BATCH = 4
_AHEAD = 16  # pictures made ready, or being made
_WEB_THREADS = 8  # they wait more than they compute
_LARGE_PIXELS = 10_000_000  # pictures above it are decoded one at a time: together, 50 million pixels each are too much


def predict(
    project: Path,
    pictures: Sequence[str | Path] | str | Path,
    model: str | Path | None = None,
    *,
    top: int = 3,
    engine: str = AUTO,
    tta: bool = False,
    explain: Path | None = None,
    trust: bool = False,
    allow_hosts: Iterable[str] = (),
    progress: Progress = SILENT,
) -> PredictResult:
    """Predict the classes of pictures. One that cannot be read does not stop the rest.

    Parameters
    ----------
    project : the project folder, where `model` is looked for.
    pictures : files, folders, patterns, web addresses, or ``-`` for a picture on standard input; see `inputs`.
    model : a bundle, a run's name or folder, or a file of a bundle; default the newest finished run.
    top : classes to give for each picture.
    engine : ``torch``, ``onnx``, ``openvino``; ``auto`` is onnx for a single picture, else the fastest one here.
    tta : average over each picture and its mirror image.
    explain : a folder for pictures of where the network looked (Grad-CAM).
    trust : open a pickle from elsewhere, which can run any code.
    allow_hosts : ``HOST:PORT`` patterns of private addresses that pictures may come from.

    Raises
    ------
    UsageError : no picture given, none of them can be read, or a value that cannot be.
    ModelError
    """
    names = expand([pictures] if isinstance(pictures, str | Path) else pictures)
    _check(names, top, engine, explain)
    reader = Reader(allow_hosts)
    opened = load(model, project=Path(project), trust=trust)
    if tta and opened.manifest.mirror:
        progress.note("This network averages over mirror images by itself, so --tta has nothing to add.")
        tta = False
    chosen = engine_choice.choose(opened, len(names), progress=progress) if engine == AUTO else engine
    judge = open_engine(opened, chosen)
    explainer = Explainer(opened, explain) if explain else None
    predictions: list[Prediction] = []
    failed: dict[str, str] = {}
    labels = opened.labels
    with progress.bar("predicting", len(names)) if len(names) > 1 else nullcontext() as bar:
        for batch in _batches(names, reader, opened):
            failed.update((name, found) for name, found in batch if isinstance(found, str))
            readable = [(name, found) for name, found in batch if not isinstance(found, str)]
            for (name, prepared), row in zip(readable, _probabilities(judge, readable, tta=tta), strict=True):
                predictions.append(answer(name, row, opened, labels, top))
                if explainer:
                    explainer.write(prepared, predictions[-1])
            if bar:
                bar.advance(len(batch))
    if not predictions:
        raise _nothing_read(failed)
    return PredictResult(predictions, failed)


def _check(names: Sequence[str], top: int, engine: str, explain: Path | None) -> None:
    """Raise UsageError for what cannot be, before the model is opened."""
    if not names:
        raise UsageError("No picture given.", "Example: birds predict photo.jpg")
    if top < 1:
        raise UsageError(f"--top is {top}.", "Ask for one or more.")
    if engine != AUTO and engine not in ENGINES:
        raise UsageError(f"There is no engine {engine!r}.", f"Choose {AUTO}, {', '.join(ENGINES)}.")
    if explain and explain.exists() and not explain.is_dir():
        raise UsageError(f"{explain} is no folder.", "Give --explain a folder; it is made where it is missing.")
    if STANDARD_INPUT in names and sys.stdin.isatty():
        raise UsageError("Nothing is piped to standard input.", "Example: birds predict - < photo.jpg")


def _batches(
    names: Sequence[str], reader: Reader, model: LoadedModel
) -> Iterator[list[tuple[str, "np.ndarray | str"]]]:
    """Name and prepared picture, or why there is none, `BATCH` at a time; the next ones are made ready meanwhile."""
    preprocess = model.manifest.preprocess
    large = threading.Lock()

    def make_ready(name: str) -> tuple[str, "np.ndarray | str"]:
        shown = as_shown(name)
        try:
            data = reader.read(name)
            is_large = images.pixels(data) > _LARGE_PIXELS
            with large if is_large else nullcontext():
                prepared = images.prepare(images.decode(data).image, preprocess.size, preprocess.resize)
                if is_large:
                    images.give_back_memory()
            return shown, prepared
        except (ImageError, FetchError) as error:
            return shown, error.message

    threads = _WEB_THREADS if any(map(is_url, names)) else min(os.cpu_count() or 1, len(names))
    batch = []
    for one in in_threads(make_ready, names, threads=threads, ahead=_AHEAD):
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _probabilities(
    judge: Engine, readable: Sequence[tuple[str, "np.ndarray"]], *, tta: bool
) -> "np.ndarray | tuple[()]":
    """[N, classes] of N prepared pictures."""
    import numpy as np

    if not readable:
        return ()
    prepared = np.stack([picture for _, picture in readable])
    found = judge.probabilities(prepared)
    return (found + judge.probabilities(prepared[:, :, ::-1])) / 2 if tta else found


def _nothing_read(failed: dict[str, str]) -> UsageError:
    name, why = next(iter(failed.items()))
    hint = "Give pictures (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF), folders of them, or their web addresses."
    message = f"{name}: {why}" if len(failed) == 1 else f"None of {len(failed)} pictures can be read; {name}: {why}"
    error = UsageError(message, hint)
    error.partial = {"predictions": [], "failed": failed}
    return error
