"""Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks").

Dividing the logits by one number changes no prediction, only how sure it sounds. The number is the one with the lowest
cross-entropy on the validation set.
"""

from typing import Any

import torch

from .memory import FreedMemory

_LOWEST, _HIGHEST, _STEPS = 0.25, 4.0, 60


def temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """The temperature of lowest cross-entropy, by golden-section search on its logarithm.

    Parameters
    ----------
    logits : [N, classes].
    labels : class indices [N].

    The cross-entropy is convex in 1/temperature, so that there is one minimum; it is looked for from 1/4 to 4.
    """
    logits = logits.double()

    def loss(log_t: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / torch.tensor(log_t).exp(), labels))

    low, high = (float(torch.tensor(bound).log()) for bound in (_LOWEST, _HIGHEST))
    ratio = (5**0.5 - 1) / 2
    for _ in range(_STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(torch.tensor((low + high) / 2).exp())


def validation_logits(learner: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What the network of `learner` says of the validation pictures: logits [N, classes], class indices [N]."""
    with learner.no_bar(), learner.no_logging():
        logits, labels = learner.get_preds(act=torch.nn.Identity(), cbs=FreedMemory())
    return torch.as_tensor(logits), torch.as_tensor(labels)
