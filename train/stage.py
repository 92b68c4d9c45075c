"""The stage: dataset/ in, a trained run out.

A run that was killed goes on when the same command is given again: same settings, same split, same numbers.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from .. import files, images
from ..errors import ProjectError, UsageError
from ..files import Project
from ..models import architectures
from ..models.data import make_dataloaders
from ..models.gate import fastai
from ..models.learner import RECIPES, make_learner
from ..models.runs import Run, list_runs
from ..models.transforms import label_of, picture_files
from ..models.weights import IMAGENET, NONE
from ..progress import SILENT, Progress
from . import recipe_2024
from .phases import make_phases
from .training import Training, TrainResult

ARCH = "resnext50_32x4d"
EPOCHS = (10, 10)
LR = (3e-3, 1e-3)
SCRATCH_LR = (1e-3,)
BATCH_SIZE = 16
PATIENCE = (3, 3)
PLATEAU_MIN_DELTA = (0.10, 0.05)
PLATEAU_FACTOR = (3.5, 7.5)
_PACKAGES = ("birds", "torch", "torchvision", "fastai", "pillow", "numpy")
_NOT_A_SETTING = ("name", "created_at", "versions")  # what two runs with the same settings may differ in


def train(
    project: Path,
    *,
    arch: str = ARCH,
    weights: str = IMAGENET,
    epochs: Sequence[int] = EPOCHS,
    lr: Sequence[float] | None = None,
    batch_size: int = BATCH_SIZE,
    size: int | None = None,
    resize: str = "squish",
    seed: int = 0,
    patience: Sequence[int] = PATIENCE,
    plateau_min_delta: Sequence[float] = PLATEAU_MIN_DELTA,
    plateau_factor: Sequence[float] = PLATEAU_FACTOR,
    recipe: str = "default",
    name: str | None = None,
    fresh: bool = False,
    only_if_changed: bool = False,
    progress: Progress = SILENT,
) -> TrainResult:
    """Fine-tune a pretrained network on ``dataset/`` in two phases, or train one from scratch.

    Parameters
    ----------
    arch : a name of torchvision's classification models.
    weights : ``imagenet``, ``none`` (from scratch: no head phase), or a file of torchvision's parameter names.
    epochs, lr, patience, plateau_min_delta, plateau_factor : one value for both phases, or one each.
    lr : of the head; the body's layers get less. Default 3e-3 and 1e-3, from scratch 1e-3.
    size : pixels of a side in training; default what the architecture was published at. Whole pictures are judged at
        8/7 of it, see `architectures.evaluation_size`.
    resize : how validation pictures become square, ``squish`` or ``crop``.
    seed : of weights, order and augmentation; the same seed gives the same history on the same machine.
    recipe : ``default``, or ``2024`` for the notebook's own.
    name : of the run; default the time and the architecture.
    fresh : begin anew even where an unfinished run with these settings could go on.
    only_if_changed : take the newest finished run with these settings and this split, where there is one.

    Raises
    ------
    UsageError, ProjectError, WeightsError, TrainError
    """
    place = Project(Path(project))
    architecture = architectures.find(arch)
    train_files, valid_files, classes = _read_dataset(place)
    is_pretrained = weights != NONE
    phases = make_phases(
        is_pretrained,
        epochs=epochs,
        lr=lr or (LR if is_pretrained else SCRATCH_LR),
        patience=patience,
        plateau_min_delta=plateau_min_delta,
        plateau_factor=plateau_factor,
    )
    config: dict[str, Any] = {
        "format_version": 1,
        "arch": arch,
        "weights": str(weights),
        "classes": classes,
        "size": size or architecture.size,
        "evaluation_size": architectures.evaluation_size(arch, size or architecture.size),
        "resize": resize,
        "batch_size": batch_size,
        "seed": seed,
        "recipe": recipe,
        "phases": [asdict(phase) for phase in phases],
        "split": _split_fingerprint(place),
    }
    _check(config, progress)
    if only_if_changed and (done := _finished_run(place, config)):
        progress.note(f"The run {done.run} is up to date.")
        return done
    fastai.set_seed(seed, reproducible=True)
    dls = make_dataloaders(
        train_files,
        valid_files,
        classes,
        size=config["size"],
        evaluation_size=config["evaluation_size"],
        resize=resize,
        batch_size=batch_size,
    )
    learner, source = make_learner(dls, arch, str(weights), recipe=recipe)
    _try_one_picture(learner, config)
    progress.note(f"{arch}, {source}; {len(train_files)} pictures to train on, {len(valid_files)} to validate.")
    run, lock = _open_run(place, config, name, fresh=fresh, progress=progress)  # nothing is left behind before here
    with lock:
        return Training(run, learner, config, progress).carry_through()


def _read_dataset(project: Project) -> tuple[list[Path], list[Path], list[str]]:
    train_files, valid_files = (picture_files(project.dataset / part) for part in ("train", "val"))
    classes = sorted({label_of(path) for path in train_files})
    if not project.dataset.is_dir() or not train_files:
        raise ProjectError(f"There is no dataset in {project.dataset}.", "Run `birds split` first.")
    if len(classes) < 2 or not valid_files:
        raise ProjectError(
            f"{project.dataset} has {len(classes)} class and {len(valid_files)} validation pictures.",
            "Run `birds split` again.",
        )
    if unknown := sorted({label_of(path) for path in valid_files} - set(classes)):
        raise ProjectError(
            f"The class {unknown[0]!r} has pictures in val/ but none in train/.", "Run `birds split` again."
        )
    return train_files, valid_files, classes


def _split_fingerprint(project: Project) -> dict[str, Any] | None:
    """What identifies the split; None for a dataset that `birds split` did not make."""
    path = project.dataset / "split.json"
    if not path.is_file():
        return None
    import json

    split = json.loads(path.read_text(encoding="utf-8"))
    return {key: split.get(key) for key in ("fingerprint", "origin", "seed", "ratio", "plain")}


def _check(config: dict[str, Any], progress: Progress) -> None:
    if config["resize"] not in images.RESIZES:
        raise UsageError(f"There is no resize {config['resize']!r}.", f"Choose from {', '.join(images.RESIZES)}.")
    if config["recipe"] not in RECIPES:
        raise UsageError(f"There is no recipe {config['recipe']!r}.", f"Choose from {', '.join(RECIPES)}.")
    if config["batch_size"] < 2 or config["size"] < 16:
        raise UsageError("--batch-size is 2 or more and --size 16 or more.")
    if config["recipe"] == "2024":
        if config["weights"] == NONE:
            raise UsageError(
                "The recipe of 2024 fine-tunes a pretrained network.", "Give --weights imagenet or a file."
            )
        progress.note(recipe_2024.WARNING)
    if config["weights"] == NONE:
        progress.note("Training from scratch: there is no frozen body, so the head phase is skipped.")


def _settings(run: Run) -> dict[str, Any]:
    return {key: value for key, value in run.config.items() if key not in _NOT_A_SETTING}


def _finished_run(project: Project, config: dict[str, Any]) -> TrainResult | None:
    for run in list_runs(project):
        if (result := run.result) and _settings(run) == config:
            return TrainResult(**{field.name: result[field.name] for field in fields(TrainResult)})
    return None


def _open_run(
    project: Project, config: dict[str, Any], name: str | None, *, fresh: bool, progress: Progress
) -> tuple[Run, FileLock]:
    """The unfinished run with these settings that can go on, or a new one; and its lock, already held."""
    if not fresh and config["recipe"] != "2024":  # fastai's one-cycle state cannot be taken up in the middle
        for run in list_runs(project):
            if run.result is None and _settings(run) == config and name in (None, run.name):
                lock = _try_lock(run)
                if lock:
                    return run, lock
                progress.note(f"{run.name} has the same settings and is being trained by another process.")
    now = datetime.now(UTC)
    run = _new_folder(project, name, f"{now:%Y%m%d-%H%M%S}-{config['arch']}")
    run.checkpoints.mkdir()
    lock = _try_lock(run)
    assert lock is not None
    versions = {package: version(package) for package in _PACKAGES}
    files.write_json(
        run.folder / "config.json",
        {"name": run.name, "created_at": now.isoformat(timespec="milliseconds"), **config, "versions": versions},
    )
    return run, lock


def _new_folder(project: Project, name: str | None, default: str) -> Run:
    """A run in a folder made just now: called `name`, or `default` with a number where others began in its second."""
    if name and (Path(name).name != name or name.startswith(".")):
        raise UsageError(f"{name!r} cannot be the name of a run.", "Use a plain folder name.")
    project.runs.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        run = Run(project.runs / (name or (default if number == 1 else f"{default}-{number}")))
        try:
            run.folder.mkdir()
        except FileExistsError:
            if name:
                raise UsageError(f"There is a run {name!r} already.", "Choose another --name.") from None
        else:
            break
    return run


def _try_lock(run: Run) -> FileLock | None:
    lock = FileLock(run.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def _try_one_picture(learner: Any, config: dict[str, Any]) -> None:
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
