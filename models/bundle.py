"""The exported model: opening ``runs/NAME/bundle/export.pkl``.

``export.pkl`` is fastai's pickled learner, made with plain ``pickle``: ``fastai.load_learner`` opens it wherever birds
is installed. A pickle runs code when it is opened: open only what you or someone you trust exported.
"""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image

from ..errors import ModelError
from ..files import Project
from .architectures import Classifier
from .data import make_dataloaders
from .gate import fastai
from .learner import make_learner
from .runs import Run, find_run
from .weights import NONE

EXPORT = "export.pkl"
_BATCH = 64


def open_run(run: Run, phase: str | None = None) -> Any:
    """The learner of a finished run, in eval mode, with the best weights of both phases or of one.

    Raises
    ------
    ModelError : the run has no such phase.
    """
    config = run.config
    with tempfile.TemporaryDirectory() as folder:
        blank = Path(folder) / config["classes"][0] / "blank.png"  # fastai opens one item to learn its types
        blank.parent.mkdir()
        Image.new("RGB", (config["size"], config["size"])).save(blank)
        dls = make_dataloaders(
            [blank],
            [blank],
            config["classes"],
            size=config["size"],
            evaluation_size=config["evaluation_size"],
            resize=config["resize"],
            batch_size=_BATCH,
        )
    mirror = config.get("mirror", False)  # runs of before format 2 have none
    learner, _ = make_learner(dls, config["arch"], NONE, recipe=config["recipe"], mirror=mirror)
    load_phase(learner, run, phase)
    return learner


def load_phase(learner: Any, run: Run, phase: str | None) -> None:
    """Fill a learner of `run` with the best weights of one phase; of None with the final ones, calibrated."""
    result = run.result or {}
    path = run.weights_of(phase or str(result.get("best_phase")))
    if not path.is_file():
        known = ", ".join(phases_of(run))
        raise ModelError(f"The run {run.name} has no weights of a phase {phase!r}.", f"Its phases: {known}.")
    try:
        learner.model.load_state_dict(torch.load(path, map_location=learner.dls.device, weights_only=True))
    except RuntimeError as error:
        raise ModelError(
            f"The weights of {run.name} do not fit {run.config['arch']} as this version of birds builds it.",
            "Train again with `birds train`, or use the version that trained it.",
        ) from error
    if phase is None and (temperature := result.get("temperature", 1.0)) != 1.0:
        scale_logits(learner.model, 1 / temperature)
    learner.model.eval()


def scale_logits(model: Classifier, factor: float) -> None:
    """Multiply a network's logits by `factor`: in its last layer, so that whatever it is exported to has it in."""
    last = cast(torch.nn.Linear, model.head[-1])
    with torch.no_grad():
        last.weight.mul_(factor)
        last.bias.mul_(factor)


def phases_of(run: Run) -> list[str]:
    """Names of the phases the run was asked for, in order."""
    return [phase["name"] for phase in run.config["phases"]]


def load_export(path: Path) -> Any:
    """The learner pickled in `path`. Runs code from the file: see the module's docstring.

    Raises
    ------
    ModelError : no such file, damaged, no learner, or of a version that does not fit.
    """
    if not path.is_file():
        raise ModelError(f"There is no exported model {path}.", "Run `birds export` first.")
    try:
        with without_pickle_warning():
            learner = fastai.load_learner(path)
    except (ImportError, AttributeError) as error:
        raise ModelError(
            f"{path} was exported by other versions: {error}.",
            "Install the versions that its config.json names.",
        ) from error
    except Exception as error:  # a damaged pickle raises whatever its bytes lead to
        detail = (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
        message = f"{path} is damaged or no exported model: {detail}."
        raise ModelError(message, "Run `birds export` again.") from error
    if not isinstance(learner, fastai.Learner):
        raise ModelError(f"{path} holds no learner.", "Run `birds export` to make one.")
    learner.model.eval()
    return learner


def find_export(project: Path, model: str | Path | None) -> tuple[Path, Run | None]:
    """The export.pkl that `model` means, and its run where it has one.

    `model` is a file, a bundle, a run's folder or name; None is the newest finished run.
    """
    place = Project(Path(project))
    if model is not None and Path(model).exists():
        path = Path(model)
        for candidate in (path, path / EXPORT, path / "bundle" / EXPORT):
            if candidate.is_file():
                folder = candidate.parent.parent
                return candidate, Run(folder) if (folder / "config.json").is_file() else None
        raise ModelError(f"There is no {EXPORT} in {path}.", "Run `birds export` first.")
    if model is not None and (Path(model).suffix or len(Path(model).parts) > 1):
        raise ModelError(f"There is no exported model {model}.", "Give a file, or the name of a run (`birds runs`).")
    run = find_run(place, None if model is None else str(model))
    path = run.bundle / EXPORT
    if not path.is_file():
        raise ModelError(f"The run {run.name} is not exported yet.", f"Run `birds export {run.name}`.")
    return path, run


def classes_of(learner: Any) -> list[str]:
    """Labels in the order of the outputs."""
    return [str(label) for label in learner.dls.vocab]


def probabilities(learner: Any, pictures: Sequence[Path | Image.Image]) -> torch.Tensor:
    """Class probabilities [N, classes] of picture files or opened pictures, prepared as in validation."""
    with learner.no_bar(), learner.no_logging():
        predicted, _ = learner.get_preds(dl=learner.dls.test_dl(list(pictures), num_workers=0))
    return torch.as_tensor(predicted)


@contextlib.contextmanager
def without_pickle_warning() -> Iterator[None]:
    """fastai warns at every opening that a pickle can run code; the help and the docs of birds say so instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
