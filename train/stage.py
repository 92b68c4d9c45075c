"""The stage: dataset/ in, a trained run out.

A run that was killed goes on when the same command is given again, or by `resume`: same settings, same split, same
numbers.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch

from ..errors import ModelError, ProjectError, UsageError
from ..files import Project
from ..models.estimate import Part, estimate
from ..models.feature_views import VIEWS
from ..models.gate import fastai
from ..models.learner import make_learner
from ..models.precision import Choice, choose, machine_store
from ..models.published import with_its_padding
from ..models.runs import Run
from ..progress import SILENT, Progress
from . import recipe_2024
from .dataset import Dataset, read_dataset
from .logs import callbacks_for, check_log
from .optimizers import ADAMW, MOMENTUM, make_optimizer
from .phases import HEAD
from .pictures import picture_loaders, with_normalisation
from .run_folders import finished_run, locked, make_run, run_to_resume, unfinished_run
from .settings import FORMAT_VERSION, Settings
from .training import Training, TrainResult

_FEW = 200  # pictures; of fewer, an epoch is over before processes that load them have paid for their start
_FORWARD_SHARE = 1 / 3  # of a training step: the backward pass takes about twice as long


def train(
    project: Path,
    *,
    name: str | None = None,
    fresh: bool = False,
    only_if_changed: bool = False,
    log: str | None = None,
    cache: Path | None = None,
    progress: Progress = SILENT,
    **settings: Any,
) -> TrainResult:
    """Fine-tune a pretrained network on ``dataset/`` in two phases, or train one from scratch.

    Parameters
    ----------
    name : of the run; default the time and the architecture.
    fresh : begin anew even where an unfinished run with these settings could go on.
    only_if_changed : take the newest finished run with these settings and this split, where there is one.
    log : ``tensorboard`` or ``wandb``, to follow the run there as well.
    cache : folder of features and pre-sized pictures; default the project's own.
    settings : see `Settings`.

    Raises
    ------
    UsageError, ProjectError, WeightsError, TrainError
    """
    check_log(log)
    place = Project(Path(project))
    asked = Settings(**settings)
    dataset = read_dataset(place)
    if asked.recipe != "2024":  # which is left as it was
        arch = with_its_padding(asked.arch, asked.source, dataset.train, progress)
        asked = replace(asked, arch=arch)
    config = asked.config(dataset)
    if asked.recipe == "2024":
        progress.note(recipe_2024.WARNING)
    if not asked.is_pretrained:
        progress.note("Training from scratch: there is no frozen body, so the head phase is skipped.")
    if only_if_changed and (done := finished_run(place, config)):
        progress.note(f"The run {done.name} is up to date.")
        return _result_of(done)
    is_resumable = not fresh and asked.recipe != "2024"  # fastai's fine_tune cannot be taken up in the middle
    run = unfinished_run(place, config, name, progress) if is_resumable else None
    config = run.config if run else with_normalisation(config, dataset, progress)
    learner = make_learner_of(config, dataset, progress)
    if run is None:
        choices = _measured(learner, config, progress)
        if asked.recipe != "2024":  # nothing was measured for it
            progress.note(f"It will take {estimate(_parts(config, choices, dataset))}.")
        run = make_run(place, config, choices, name)  # nothing is left behind before here
    return _carry_through(run, learner, dataset, cache=cache or place.cache, log=log, progress=progress)


def resume(
    project: Path, name: str | None = None, *, log: str | None = None, progress: Progress = SILENT
) -> TrainResult:
    """Go on with the unfinished run called `name` (default: the newest) with the settings that it was begun with.

    Raises
    ------
    ModelError : there is no such run, it is finished, or another version of birds began it.
    ProjectError : the dataset has changed since, or another process trains the run.
    """
    check_log(log)
    place = Project(Path(project))
    run = run_to_resume(place, name)
    if run.config.get("format_version") != FORMAT_VERSION:
        raise ModelError(f"{run.name} was begun by another version of birds.", "Begin a new run with `birds train`.")
    dataset = read_dataset(place)
    if (dataset.split, dataset.classes) != (run.config["split"], run.config["classes"]):
        raise ProjectError(
            f"{place.dataset} is another split than {run.name} was begun with.", "Begin a new run with `birds train`."
        )
    if run.config["recipe"] == "2024":
        raise UsageError("A run of the recipe of 2024 cannot be taken up in the middle.", "Begin it anew.")
    learner = make_learner_of(run.config, dataset, progress)
    return _carry_through(run, learner, dataset, cache=place.cache, log=log, progress=progress)


def _carry_through(
    run: Run, learner: Any, dataset: Dataset, *, cache: Path, log: str | None, progress: Progress
) -> TrainResult:
    with locked(run):
        loggers = callbacks_for(log, run) if log else []
        return Training(run, learner, dataset, cache=cache, loggers=loggers, progress=progress).carry_through()


def _result_of(run: Run) -> TrainResult:
    result = run.result or {}
    return TrainResult(**{field.name: result[field.name] for field in fields(TrainResult)})


def make_learner_of(config: Mapping[str, Any], dataset: Dataset, progress: Progress) -> Any:
    """The Learner of the whole network, on pictures, as a run's config.json asks for it."""
    fastai.set_seed(config["seed"], reproducible=True)
    dls = picture_loaders(dataset, config)
    learner, source = make_learner(
        dls,
        config["arch"],
        config["weights"],
        recipe=config["recipe"],
        mirror=config["mirror"],
        dropout=config.get("dropout"),
        progress=progress,
    )
    if config["recipe"] != "2024":
        learner.opt_func = make_optimizer(config.get("optimizer", ADAMW), config.get("momentum", MOMENTUM))
    _try_one_picture(learner, config)
    counts = f"{len(dataset.train)} pictures to train on, {len(dataset.valid)} to validate"
    progress.note(f"{config['arch']}, {source}; {counts}.")
    return learner


def _measured(learner: Any, config: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """What is fastest on this machine, for features and for training, as the run's config.json keeps it."""
    shape = (config["batch_size"], 3, config["size"], config["size"])
    common: dict[str, Any] = {
        "fixed": None if config["precision"] == "auto" else config["precision"],
        "device": learner.dls.device,
        "store": machine_store(),
        "progress": progress,
    }
    if config["recipe"] == "2024":
        return {use: asdict(Choice(threads=torch.get_num_threads())) for use in ("features", "training")}
    workers = 0 if config["workers"] is None and learner.dls.train.n < _FEW else config["workers"]
    found = {}
    if config["feature_cache"]:
        found["features"] = choose(learner.model.body, picture_shape=shape, is_training=False, **common)
    found["training"] = choose(
        learner.model,
        picture_shape=shape,
        classes=len(config["classes"]),
        workers=workers,
        loader=learner.dls.train,
        compile_network=config["compile"],
        **common,
    )
    return {use: asdict(choice) for use, choice in found.items()}


def _parts(config: Mapping[str, Any], choices: Mapping[str, Any], dataset: Dataset) -> list[Part]:
    """What a run spends its time on, as pictures through the network."""
    pictures, judged = len(dataset.train), len(dataset.valid) * (2 if config["mirror"] else 1)
    parts = []
    for phase in config["phases"]:
        if phase["name"] == HEAD and config["feature_cache"]:
            views = pictures * (len(VIEWS) + config["views"]) + judged
            parts.append(Part("features", views, choices["features"]["images_per_second"]))
        else:
            shown = phase["epochs"] * (pictures + judged * _FORWARD_SHARE)
            parts.append(Part(phase["name"], shown, choices["training"]["images_per_second"], is_limit=True))
    return parts


def _try_one_picture(learner: Any, config: Mapping[str, Any]) -> None:
    """Fail early, in one line, where the network cannot take pictures of this size."""
    size = config["size"]
    learner.model.eval()
    try:
        with torch.no_grad():
            for side in (size, config["evaluation_size"]):
                learner.model(torch.zeros(2, 3, side, side, device=learner.dls.device))
    except (RuntimeError, AssertionError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        raise UsageError(
            f"{config['arch']} cannot take pictures of {size} pixels: {first_line}.", "Try another --size."
        ) from error
