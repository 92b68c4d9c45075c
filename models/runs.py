"""The folder of a run: what it was asked for, how it went, what it left. Everything in it can be opened by hand.

config.json      settings, classes, fingerprint of the split, versions
history.csv      a row an epoch: losses, accuracy, learning rate (no clock: the same seed gives the same file)
timing.csv       a row an epoch: seconds, images a second
curves.png       both as a picture
checkpoints/     the best weights of each phase, and the last state to go on from
result.json      written last: a run that has it is finished
bundle/          what `birds export` makes
"""

import csv
import difflib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..files import Project


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @cached_property
    def config(self) -> dict[str, Any]:
        return _read_json(self.folder / "config.json")

    @property
    def is_readable(self) -> bool:
        """Whether its config can be read; `birds runs` shows those that cannot."""
        try:
            return isinstance(self.config.get("created_at"), str)
        except (ModelError, AttributeError):
            return False

    @property
    def result(self) -> dict[str, Any] | None:
        """How the run ended, or None while it has not."""
        path = self.folder / "result.json"
        return _read_json(path) if path.is_file() else None

    @property
    def history(self) -> list[dict[str, str]]:
        """Rows of history.csv; none before the first epoch."""
        return _read_rows(self.folder / "history.csv")

    @property
    def timing(self) -> list[dict[str, str]]:
        """Rows of timing.csv; none before the first epoch."""
        return _read_rows(self.folder / "timing.csv")

    @property
    def split_origin(self) -> str | None:
        """What identifies the split it was trained on, whatever was added to that; None where it is not known."""
        return (self.config.get("split") or {}).get("origin")

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def weights_of(self, phase: str) -> Path:
        """The file of the best weights of ``head`` or ``fine_tune``."""
        return self.checkpoints / f"{phase}.pth"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Train again with `birds train`.") from error
    return value


def _read_rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def list_runs(project: Project) -> list[Run]:
    """All runs, newest first."""
    if not project.runs.is_dir():
        return []
    folders = (folder for folder in project.runs.iterdir() if (folder / "config.json").is_file())
    runs = [run for run in map(Run, folders) if run.is_readable]
    return sorted(runs, key=lambda run: (run.config["created_at"], run.name), reverse=True)


def find_run(project: Project, name: str | None = None) -> Run:
    """The finished run called `name`, or the newest one. Raises ModelError where there is none."""
    runs = list_runs(project)
    finished = [run for run in runs if run.result]
    if name is None:
        if not finished:
            raise ModelError(f"There is no finished run in {project.runs}.", "Run `birds train` first.")
        return finished[0]
    for run in runs:
        if run.name == name:
            if run.result:
                return run
            raise ModelError(f"The run {name!r} did not end.", "Run `birds train` with the same settings: it goes on.")
    known = [run.name for run in finished]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
    hint = f"There are {', '.join(near)}; `birds runs` lists all." if near else "Run `birds train` first."
    raise ModelError(f"There is no run {name!r} in {project.runs}.", hint)
