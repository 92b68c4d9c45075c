"""Behaviour added to fastai's loop, one small callback each.

fastai's own EarlyStoppingCallback and ReduceLROnPlateau do their work unchanged. Orders matter: Recorder is 50,
ReduceLROnPlateau 62, EarlyStoppingCallback 63 (it leaves the loop, later ones are not called).
"""

import contextlib
import io
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import files
from ..models.gate import fastai
from ..progress import Bar

Row = dict[str, str | int | float]


class FrozenBody(fastai.Callback):  # type: ignore[misc]  # fastai ships no types
    """Keeps the body in eval mode while only the head trains: its batch norm uses, and keeps, its own statistics."""

    order = 0  # after TrainEvalCallback, which puts the whole model in training mode

    def before_train(self) -> None:
        self.learn.model.body.eval()


class _WithoutPrinting:
    """fastai's trackers print to standard output, which is for results; the epoch's line tells the same."""

    def after_epoch(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            super().after_epoch()  # type: ignore[misc]  # a mixin before a fastai callback


class EarlyStopping(_WithoutPrinting, fastai.EarlyStoppingCallback):  # type: ignore[misc]
    """fastai's own, silent."""


class ReduceLROnPlateau(_WithoutPrinting, fastai.ReduceLROnPlateau):  # type: ignore[misc]
    """fastai's own, silent."""


class SaveBest(_WithoutPrinting, fastai.SaveModelCallback):  # type: ignore[misc]
    """fastai's SaveModelCallback writing atomically, and loading nothing where nothing was saved."""

    def __init__(self, path: Path) -> None:
        super().__init__(monitor="valid_loss", fname=path.stem)
        self.path = path

    def _save(self, name: str) -> None:
        del name
        with files.replacing(self.path) as temporary:
            torch.save(self.learn.model.state_dict(), temporary)

    def after_fit(self) -> None:
        if np.isfinite(self.best):
            load_weights(self.learn.model, self.path)


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Fill `model` from a file that `SaveBest` wrote."""
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))


class Epochs(fastai.Callback):  # type: ignore[misc]
    """Tells of every epoch: a history row, a timing row, and a step of the bar a batch.

    Parameters
    ----------
    first : number of the first epoch (above 1 where an interrupted phase goes on).
    tell : called with (history row, timing row) after each epoch.
    """

    order = 61  # after Recorder, before ReduceLROnPlateau changes the rate for the next epoch

    def __init__(self, phase: str, first: int, bar: Bar, tell: Callable[[Row, Row], None]) -> None:
        self.phase, self.first, self.bar, self.tell = phase, first, bar, tell

    def before_epoch(self) -> None:
        self.started = time.perf_counter()
        self.pictures, self.loss_sum = 0, 0.0
        self.rate = self.learn.opt.hypers[-1]["lr"]

    def after_batch(self) -> None:
        if self.training:
            self.pictures += len(self.yb[0])
            self.loss_sum += self.learn.loss.item() * len(self.yb[0])
            self.bar.advance()

    def after_epoch(self) -> None:
        seconds = time.perf_counter() - self.started
        _, valid_loss, accuracy = (float(value) for value in self.recorder.values[-1])
        train_loss = self.loss_sum / self.pictures  # the Recorder's is smoothed over the batches of all epochs
        number: Row = {"phase": self.phase, "epoch": self.first + self.epoch}
        losses: Row = {
            "train_loss": round(train_loss, 6),
            "valid_loss": round(valid_loss, 6),
            "valid_accuracy": round(accuracy, 6),
            "lr": float(f"{self.rate:.6g}"),
        }
        timing: Row = {"seconds": round(seconds, 3), "images_per_second": round(self.pictures / seconds, 1)}
        self.tell(number | losses, number | timing)


class Checkpoint(fastai.Callback):  # type: ignore[misc]
    """Writes after every epoch all that is needed to go on from it with the same numbers, random states included.

    Parameters
    ----------
    path : of the file, replaced atomically.
    phase : which one this is.
    rows : (history, timing) so far; kept in the file, so that the CSV files can be written whole again.
    resume : the content of such a file, to go on from; None to begin.
    """

    order = 64  # after every tracker has settled; not called when early stopping ends the phase

    def __init__(
        self, path: Path, phase: str, rows: tuple[list[Row], list[Row]], resume: dict[str, Any] | None
    ) -> None:
        self.path, self.phase, self.rows, self.resume = path, phase, rows, resume
        self.first = resume["epoch"] if resume else 0

    def before_fit(self) -> None:
        if self.resume:
            self.learn.model.load_state_dict(self.resume["model"])
            self.learn.opt.load_state_dict(self.resume["optimizer"])
            for tracker, state in zip(self._trackers(), self.resume["trackers"], strict=True):
                tracker.__dict__.update(state)
            restore_random_states(self.resume["random"], self.learn)
            self.resume = None  # let go of the memory

    def after_epoch(self) -> None:
        state = {
            "phase": self.phase,
            "epoch": self.first + self.epoch + 1,
            "model": self.learn.model.state_dict(),
            "optimizer": self.learn.opt.state_dict(),
            "trackers": [{k: float(v) for k, v in vars(t).items() if k in ("best", "wait")} for t in self._trackers()],
            "random": _random_states(self.learn),
            "rows": self.rows,
        }
        with files.replacing(self.path) as temporary:
            torch.save(state, temporary)

    def _trackers(self) -> list[Any]:
        return [cb for cb in self.learn.cbs if isinstance(cb, fastai.TrackerCallback)]


def _random_states(learner: Any) -> dict[str, Any]:
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "shuffle": learner.dls.train.rng.getstate(),
    }


def restore_random_states(states: dict[str, Any], learner: Any) -> None:
    """Put the generators of Python, numpy, torch and the DataLoader's shuffle where a checkpoint left them."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    learner.dls.train.rng.setstate(states["shuffle"])
