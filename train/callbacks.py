"""Behaviour added to fastai's loop, one small callback each.

fastai's own EarlyStoppingCallback and ReduceLROnPlateau do their work unchanged. Orders matter: Recorder is 50,
ReduceLROnPlateau 62, EarlyStoppingCallback 63 (it leaves the loop, later ones are not called).
"""

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import files
from ..models.gate import fastai
from ..progress import Bar
from .losses import CROSS_ENTROPY, make_loss, plain_cross_entropy

Row = dict[str, str | int | float]


class FrozenBody(fastai.Callback):  # type: ignore[misc]  # fastai ships no types
    """Keeps the body in eval mode while only the head trains: its batch norm uses, and keeps, its own statistics."""

    order = 0  # after TrainEvalCallback, which puts the whole model in training mode

    def before_train(self) -> None:
        self.learn.model.body.eval()


class FixedStatistics(fastai.Callback):  # type: ignore[misc]
    """Keeps the body's batch norm on its own statistics while its weights are fine-tuned.

    Sixteen pictures a step say little of a distribution, and weights that were converted with batch norm folded into
    the convolutions have no other: on birds8 with MobileNetV2, three folds, validation loss 0.38 against 0.46.
    """

    order = 0

    def before_train(self) -> None:
        for module in self.learn.model.body.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


class TrainingLoss(fastai.Callback):  # type: ignore[misc]
    """The loss of training batches: by default cross-entropy, with smoothed labels and weighted classes.

    Validation keeps the learner's own, plain cross-entropy: figures stay comparable whatever a run trains with.

    Parameters
    ----------
    label_smoothing : share of probability that is spread evenly over all classes.
    class_weights : [classes], or None where all weigh the same.
    name : of `losses.LOSSES`.
    """

    order = -5  # before fastai's MixUp, which wraps it during training and puts it back after

    def __init__(self, label_smoothing: float, class_weights: torch.Tensor | None, name: str = CROSS_ENTROPY) -> None:
        self.loss = make_loss(name, label_smoothing, class_weights)

    def before_fit(self) -> None:
        self.plain = self.learn.loss_func

    def before_train(self) -> None:
        self.loss.to(self.dls.device)
        self.learn.loss_func = self.loss

    def before_validate(self) -> None:
        self.learn.loss_func = self.plain

    def after_fit(self) -> None:
        self.learn.loss_func = self.plain


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
        save(self.learn.model.state_dict(), self.path)

    def after_fit(self) -> None:
        if np.isfinite(self.best):
            load_weights(self.learn.model, self.path)


def save(value: Any, path: Path) -> None:
    """torch.save, atomically. Raises OSError where the disk is full, of which torch would make a RuntimeError."""
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as error:
            if isinstance(cause := error.__context__, OSError):
                raise OSError(cause.errno, cause.strerror, str(path)) from error
            raise


def load_weights(model: torch.nn.Module, path: Path) -> None:
    """Fill `model` from a file that `SaveBest` wrote."""
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))


class Epochs(fastai.Callback):  # type: ignore[misc]
    """Tells of every epoch: a history row, a timing row, and a step of the bar a batch.

    Parameters
    ----------
    first : number of the first epoch (above 1 where an interrupted phase goes on).
    tell : called with (history row, timing row) after each epoch.
    loss : what the run trains with; where it is another than cross-entropy, that is computed for the row besides.
    """

    order = 61  # after Recorder, before ReduceLROnPlateau changes the rate for the next epoch

    def __init__(
        self, phase: str, first: int, bar: Bar, tell: Callable[[Row, Row], None], loss: str = CROSS_ENTROPY
    ) -> None:
        self.phase, self.first, self.bar, self.tell = phase, first, bar, tell
        self.is_plain = loss == CROSS_ENTROPY

    def before_epoch(self) -> None:
        self.started = time.perf_counter()
        self.pictures, self.loss_sum = 0, 0.0

    def after_batch(self) -> None:
        if self.training:
            self.pictures += len(self.yb[0])
            loss = self.learn.loss.item() if self.is_plain else plain_cross_entropy(self.pred, self.yb[0])
            self.loss_sum += loss * len(self.yb[0])
            self.rate = self.learn.opt.hypers[-1]["lr"]
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
