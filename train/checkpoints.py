"""What a run writes after every epoch to go on from, whatever ends it: model, optimizer, trackers, random states.

A file is replaced atomically and the one before it is kept: should the last be damaged, an epoch is lost, not the run.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import files
from ..models.gate import fastai
from .callbacks import Row, save
from .phases import Phase

_LAST, _BEFORE_LAST = "last.pt", "before-last.pt"
_OF_A_TRACKER = ("best", "wait")
_SEEDS_APART = 1_000_003  # between the phases of one run; runs with neighbouring seeds share none


class Checkpoint(fastai.Callback):  # type: ignore[misc]  # fastai ships no types
    """Writes after every epoch all that is needed to go on from it with the same numbers, random states included.

    Parameters
    ----------
    folder : where the last two are kept.
    phase : which one this is.
    rows : (history, timing) so far; kept in the file, so that the CSV files can be written whole again.
    resume : the content of such a file, to go on from; None to begin.
    """

    order = 70  # after the trackers; not called in the epoch in which a phase ends early

    def __init__(
        self, folder: Path, phase: Phase, rows: tuple[list[Row], list[Row]], resume: dict[str, Any] | None
    ) -> None:
        self.folder, self.phase, self.rows, self.resume = folder, phase, rows, resume
        self.first = resume["epoch"] if resume else 0

    def before_fit(self) -> None:
        if self.resume:
            self.learn.model.load_state_dict(self.resume["model"])
            self.learn.opt.load_state_dict(self.resume["optimizer"])
            for callback, state in zip(self._with_state(), self.resume["callbacks"], strict=True):
                callback.__dict__.update(state)
            _restore_random_states(self.resume["random"], self.learn)
            self.resume = None  # let go of the memory

    def after_epoch(self) -> None:
        self._write(is_over=False)

    def after_fit(self) -> None:
        self._write(is_over=True)

    def _write(self, *, is_over: bool) -> None:
        state = {
            "phase": self.phase.name,
            "lr": self.phase.lr,
            "epoch": self.first + self.epoch + 1,
            "is_over": is_over,
            "model": self.learn.model.state_dict(),
            "optimizer": self.learn.opt.state_dict(),
            "callbacks": [_state_of(callback) for callback in self._with_state()],
            "random": _random_states(self.learn),
            "rows": self.rows,
        }
        last = self.folder / _LAST
        if last.is_file():
            last.replace(self.folder / _BEFORE_LAST)
        save(state, last)

    def _with_state(self) -> list[Any]:
        return [cb for cb in self.learn.cbs if isinstance(cb, fastai.TrackerCallback) or hasattr(cb, "kept")]


def _state_of(callback: Any) -> dict[str, Any]:
    if hasattr(callback, "kept"):
        return {name: getattr(callback, name) for name in callback.kept}
    return {name: float(value) for name, value in vars(callback).items() if name in _OF_A_TRACKER}


def last_checkpoint(folder: Path, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest checkpoint in `folder` that can be read; None where there is none, and the run begins anew."""
    for name in (_LAST, _BEFORE_LAST):
        path = folder / name
        if path.is_file():
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)  # our own file
                return state
            except Exception as error:  # noqa: BLE001 - a damaged pickle raises whatever its bytes lead to
                tell(f"{path} cannot be read ({type(error).__name__}): going on from what was written before it.")
    return None


def remove_checkpoints(folder: Path) -> None:
    """Nothing is left to go on with, nor of what a kill left half-written."""
    for path in folder.iterdir():
        if path.name in (_LAST, _BEFORE_LAST) or files.is_temporary(path):
            path.unlink()


def seed_phase(seed: int, phase: int, learner: Any) -> None:
    """Make a phase's numbers depend on the run's seed alone, not on what happened before it."""
    own = seed + _SEEDS_APART * phase
    fastai.set_seed(own, reproducible=True)
    learner.dls.train.rng.seed(own)


def _random_states(learner: Any) -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "shuffle": learner.dls.train.rng.getstate(),
    }


def _restore_random_states(states: dict[str, Any], learner: Any) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    learner.dls.train.rng.setstate(states["shuffle"])
