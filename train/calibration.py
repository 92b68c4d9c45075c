"""Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks").

Dividing the logits by one number changes no prediction, only how sure it sounds. The number is the one with the lowest
cross-entropy on the validation set, as far as that has enough pictures to say so: some hundred, which chose the epoch
as well, look easier than pictures that nobody has seen. docs/training.md has the figures.
"""

import math
from typing import Any

import torch

from .memory import FreedMemory

_FARTHEST, _STEPS = math.log(64), 60


def temperature(logits: torch.Tensor, labels: torch.Tensor, spread: float = 0.1) -> float:
    """The most likely temperature, by golden-section search on its logarithm.

    Parameters
    ----------
    logits : [N, classes].
    labels : class indices [N].
    spread : its logarithm is expected to be normally distributed around 0 with this standard deviation: ten pictures
        change little of that, ten thousand have their way. Infinite where the pictures alone decide.

    It is looked for from 1/64 to 64.
    """
    logits = logits.double()

    def cost(log_t: float) -> float:
        loss = float(torch.nn.functional.cross_entropy(logits / math.exp(log_t), labels, reduction="sum"))
        return loss + (log_t / spread) ** 2 / 2

    low, high = -_FARTHEST, _FARTHEST
    ratio = (5**0.5 - 1) / 2
    for _ in range(_STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if cost(left) < cost(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def validation_logits(learner: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network of `learner` says of the validation pictures: logits [N, classes], class indices [N]."""
    with learner.no_bar(), learner.no_logging():
        logits, labels = learner.get_preds(act=torch.nn.Identity(), cbs=FreedMemory())
    return torch.as_tensor(logits), torch.as_tensor(labels)
