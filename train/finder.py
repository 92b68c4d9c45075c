"""fastai's learning-rate finder on a learner that is to be trained afterwards as if nothing had happened.

The finder trains for a hundred batches at rates that rise from 1e-7 to 10 (Smith 2017, "Cyclical learning rates for
training neural networks"); fastai's ``valley`` then takes a point on the longest descent of the smoothed loss.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import TrainError
from ..models.gate import fastai
from ..models.trial import undisturbed
from ..progress import SILENT, Bar, Progress
from .callbacks import FrozenBody
from .phases import BODY_RATE, HEAD

BATCHES = 100  # fastai's default
_LEAST_POINTS = 10  # of the course; fewer are no curve
_LEAST_FALL = 0.02  # of the first loss; noise falls by as much
_VISIBLE = 0.02  # of the whole fall


@dataclass(frozen=True)
class Search:
    """What the finder saw.

    Attributes
    ----------
    lr : the suggested learning rate, of the head.
    rates, losses : the course: rates of the head and the smoothed training loss at each, in nats.
    """

    lr: float
    rates: list[float]
    losses: list[float]


class _Finder(fastai.LRFinder):  # type: ignore[misc]  # fastai ships no types
    """fastai's own; where the whole net trains, the body's layers get less than the head, as they will in training."""

    def __init__(self, share_of_body: float) -> None:
        super().__init__(num_it=BATCHES)
        rise = self.scheds["lr"]
        if share_of_body < 1:
            self.scheds["lr"] = lambda done: slice(rise(done) * share_of_body, rise(done))


class _Steps(fastai.Callback):  # type: ignore[misc]
    """A step of the bar a batch."""

    order = fastai.LRFinder.order - 1  # which ends the fit by an exception

    def __init__(self, bar: Bar) -> None:
        self.bar = bar

    def after_batch(self) -> None:
        self.bar.advance()


def suggest_lr(
    learner: Any,
    phase: str,
    *,
    is_pretrained: bool = True,
    callbacks: Sequence[Any] = (),
    progress: Progress = SILENT,
) -> float:
    """The learning rate that fastai's finder suggests for `phase`; see `search`."""
    return search(learner, phase, is_pretrained=is_pretrained, callbacks=callbacks, progress=progress).lr


def search(
    learner: Any,
    phase: str,
    *,
    is_pretrained: bool = True,
    callbacks: Sequence[Any] = (),
    progress: Progress = SILENT,
) -> Search:
    """Try learning rates on `learner`: the head's in phase ``head``, all layers' in ``fine_tune``.

    Weights, optimizer, random states and the order of the data are afterwards what they were: training goes on as if
    the rate had been known. The same states and data give the same suggestion.

    Parameters
    ----------
    learner : of a whole network, or of a head on features.
    is_pretrained : the body's layers learn more slowly than the head, as in `phases.fit`.
    callbacks : fastai callbacks to train with, such as autocast.

    Raises
    ------
    TrainError : the loss falls at no rate.
    """
    if phase == HEAD and hasattr(learner.model, "body"):
        callbacks = [*callbacks, FrozenBody()]
    finder = _Finder(BODY_RATE if phase != HEAD and is_pretrained else 1.0)
    with _as_it_was(learner), learner.no_bar(), learner.no_logging():
        if phase == HEAD:
            learner.freeze()
        else:
            learner.unfreeze()
        learner.create_opt()
        epochs = BATCHES // len(learner.dls.train) + 1
        with progress.bar("learning rates", BATCHES) as bar:
            learner.fit(epochs, cbs=[*callbacks, finder, _Steps(bar)])
        rates, losses = list(learner.recorder.lrs), [float(loss) for loss in learner.recorder.losses]
    return Search(suggestion(rates, losses), rates, losses)


def suggestion(rates: Sequence[float], losses: Sequence[float]) -> float:
    """A rate in the middle of the longest descent, by fastai's ``valley``.

    Left out are, as in fastai, the first tenth (the smoothed loss warms up) and the end; and the part before the loss
    has visibly fallen. A new head is all zeros: without noise its loss falls by a trifle at every rate, and ``valley``
    would take that for descent: on birds8 with SqueezeNet 1.1, where the loss falls from 1e-3 to 8e-2, it gave 1.9e-4
    with that part and gives 3.0e-3 without.

    Raises
    ------
    TrainError : the loss falls nowhere.
    """
    begin, end = BATCHES // 10, len(losses) - 5
    end = next((i for i in range(begin, end) if not np.isfinite(losses[i])), end)
    course = losses[begin:end]
    if len(course) < _LEAST_POINTS or min(course) > (1 - _LEAST_FALL) * course[0]:
        raise TrainError(
            "The learning-rate finder found no rate at which the loss falls.",
            "Give --lr a number, such as 3e-3,1e-3; more pictures or a larger --batch-size make the search steadier.",
        )
    visible = course[0] - _VISIBLE * (course[0] - min(course))
    begin += next(i for i, loss in enumerate(course) if loss <= visible)
    lr, _ = fastai.valley(rates[begin:end], losses[begin:end], BATCHES)
    return float(lr)


@contextmanager
def _as_it_was(learner: Any) -> Iterator[None]:
    """Give back optimizer, folder and random states of `learner`; the finder itself gives back the weights.

    It keeps them in a file under the learner's folder, which is the working directory unless told otherwise.
    """
    optimizer, path, shuffle = learner.opt, learner.path, learner.dls.train.rng.getstate()
    with undisturbed(), tempfile.TemporaryDirectory(prefix="birds-lr-") as folder:
        learner.path = Path(folder)
        try:
            yield
        finally:
            learner.opt, learner.path = optimizer, path
            learner.dls.train.rng.setstate(shuffle)
