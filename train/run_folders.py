"""Finding, making and locking the folders of runs.

Two runs have the same settings where their config.json differs in nothing but name, date, versions and what was
measured on the machine.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import files
from ..errors import ModelError, ProjectError, UsageError
from ..files import Project
from ..models.normalisation import PUBLISHED
from ..models.runs import Run, list_runs
from ..progress import Progress
from .losses import CROSS_ENTROPY
from .optimizers import ADAMW, MOMENTUM

_PACKAGES = ("birds", "torch", "torchvision", "fastai", "pillow", "numpy")
_NOT_A_SETTING = ("name", "created_at", "versions", "choices", "mean", "std")  # the last two follow from the pictures
_BEFORE = {  # what runs did while there was no such setting
    "optimizer": ADAMW, "momentum": MOMENTUM, "loss": CROSS_ENTROPY, "dropout": None, "normalise": PUBLISHED,
    "discriminant": False,
}  # fmt: skip


def settings_of(run: Run) -> dict[str, Any]:
    """What `run` was asked to do."""
    return {key: value for key, value in {**_BEFORE, **run.config}.items() if key not in _NOT_A_SETTING}


def finished_run(project: Project, config: Mapping[str, Any]) -> Run | None:
    """The newest finished run with these settings."""
    return next((run for run in list_runs(project) if run.result and settings_of(run) == config), None)


def unfinished_run(project: Project, config: Mapping[str, Any], name: str | None, progress: Progress) -> Run | None:
    """The newest run with these settings that was left in the middle and that nobody is training."""
    for run in list_runs(project):
        if run.result is None and settings_of(run) == config and name in (None, run.name):
            if not _is_locked(run):
                return run
            progress.note(f"{run.name} has the same settings and is being trained by another process.")
    return None


def run_to_resume(project: Project, name: str | None) -> Run:
    """The unfinished run called `name`, or the newest one.

    Raises
    ------
    ModelError : there is none, or it is finished.
    ProjectError : it is being trained by another process.
    """
    runs = list_runs(project)
    waiting = [run for run in runs if run.result is None]
    if name is None:
        if not waiting:
            raise ModelError(f"There is no unfinished run in {project.runs}.", "Begin one with `birds train`.")
        return waiting[0]
    if run := next((run for run in waiting if run.name == name), None):
        return run
    if any(run.name == name for run in runs):
        raise ModelError(f"The run {name!r} is finished.", f"Next: birds export {name}")
    known = ", ".join(run.name for run in waiting[:3])
    hint = f"Unfinished are {known}." if known else "None is unfinished; begin one with `birds train`."
    raise ModelError(f"There is no run {name!r} in {project.runs}.", hint)


def make_run(project: Project, config: Mapping[str, Any], choices: Mapping[str, Any], name: str | None) -> Run:
    """A new run folder with its config.json."""
    now = datetime.now(UTC)
    run = _new_folder(project, name, f"{now:%Y%m%d-%H%M%S}-{config['arch'].replace(':', '-')}")
    run.checkpoints.mkdir()
    versions = {package: version(package) for package in _PACKAGES}
    about = {"name": run.name, "created_at": now.isoformat(timespec="milliseconds")}
    files.write_json(run.folder / "config.json", {**about, **config, "choices": choices, "versions": versions})
    return run


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


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Hold the lock of `run`; the kernel frees it if we die. Raises ProjectError where another process trains it."""
    try:
        with _lock(run).acquire(timeout=0):
            yield
    except Timeout:
        raise ProjectError(f"{run.name} is being trained by another process.", "Wait for it, or stop it.") from None


def _is_locked(run: Run) -> bool:
    try:
        with _lock(run).acquire(timeout=0):
            return False
    except Timeout:
        return True


def _lock(run: Run) -> FileLock:
    return FileLock(run.folder / ".lock")
