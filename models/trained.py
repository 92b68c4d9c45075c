"""The network of a finished run, from its checkpoints. What was exported needs none of this."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image

from ..errors import ModelError
from .architectures import Classifier
from .data import make_dataloaders
from .learner import make_learner
from .normalisation import normalisation_of
from .runs import Run
from .weights import NONE

_BATCH = 64


def open_run(run: Run, phase: str | None = None) -> Any:
    """The learner of a finished run, in eval mode, with the best weights of both phases or of one.

    Raises
    ------
    ModelError : the run has no such phase.
    """
    config = run.config
    mean, std = normalisation_of(config)
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
            mean=mean,
            std=std,
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


def classes_of(learner: Any) -> list[str]:
    """Labels in the order of the outputs."""
    return [str(label) for label in learner.dls.vocab]


def probabilities(learner: Any, pictures: Sequence[Path | Image.Image]) -> torch.Tensor:
    """Class probabilities [N, classes] of picture files or opened pictures, prepared as in validation."""
    with learner.no_bar(), learner.no_logging():
        predicted, _ = learner.get_preds(dl=learner.dls.test_dl(list(pictures), num_workers=0))
    return torch.as_tensor(predicted)
