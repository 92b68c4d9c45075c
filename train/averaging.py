"""Weight averaging: what is judged and kept is a moving average of the weights, not the last step's.

With a few hundred pictures every step pulls the weights towards its own sixteen; their average lies lower and flatter
(Polyak & Juditsky 1992; Izmailov et al. 2018; the warm start of the decay is TensorFlow's ExponentialMovingAverage).
"""

from collections.abc import Callable
from typing import Any

import torch

from ..models.gate import fastai

DECAY = 0.99
_WARM_START = 10  # steps: early on the average forgets faster


class AverageWeights(fastai.Callback):  # type: ignore[misc]  # fastai ships no types
    """Keeps an exponential moving average of weights and batch norm statistics; validation and saving see that.

    Parameters
    ----------
    most : share of the average that a step leaves, at most; 0 where the last step alone counts.
    then : called with the averaged model, which it may change, before that is judged.

    Attributes
    ----------
    kept : names of what a checkpoint must hold.
    """

    order = 65  # swaps back after the best weights are saved (61), before the checkpoint is written (70)
    kept = ("average", "steps")

    def __init__(self, most: float = DECAY, then: Callable[[Any], None] | None = None) -> None:
        self.most, self.then = most, then

    def before_fit(self) -> None:
        self.steps = 0
        self.average = {name: value.clone() for name, value in self.learn.model.state_dict().items()}

    def after_batch(self) -> None:
        if not self.training:
            return
        self.steps += 1
        decay = min(self.most, (1 + self.steps) / (_WARM_START + self.steps))
        with torch.no_grad():
            for name, value in self.learn.model.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)

    def before_validate(self) -> None:
        self.present = {name: value.clone() for name, value in self.learn.model.state_dict().items()}
        self._put(self.average)
        if self.then:
            self.then(self.learn.model)

    def after_epoch(self) -> None:
        self._put(self.present)
        del self.present

    def _put(self, tensors: dict[str, torch.Tensor]) -> None:
        """In place, not by load_state_dict: MNASNet's wants the versions that come with a state_dict as well."""
        with torch.no_grad():
            for name, value in self.learn.model.state_dict().items():
                value.copy_(tensors[name])
