"""What training may minimise. What is judged and reported is plain cross-entropy, whatever a run trains with."""

from typing import Any

import torch
from torch.nn import functional

from ..models.gate import fastai

CROSS_ENTROPY, FOCAL, MSE = "cross-entropy", "focal", "mse"
LOSSES = (CROSS_ENTROPY, FOCAL, MSE)
_FOCUS = 2.0  # the gamma of the paper


class _OfProbabilities(torch.nn.Module):
    """A loss of logits [N, classes] and class indices [N] as a weighted mean over the batch.

    Parameters
    ----------
    class_weights : [classes], or None where all weigh the same.
    """

    class_weights: torch.Tensor | None

    def __init__(self, class_weights: torch.Tensor | None) -> None:
        super().__init__()
        self.register_buffer("class_weights", class_weights)

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        logits, labels = plain(logits).float(), plain(labels)
        losses = self.of_each(logits, labels)
        if self.class_weights is None:
            return losses.mean()
        weights = self.class_weights[labels]
        return (weights * losses).sum() / weights.sum()

    def of_each(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[N]"""
        raise NotImplementedError


class Focal(_OfProbabilities):
    """Cross-entropy that hardly counts what is right already (Lin et al. 2017, "Focal loss", gamma 2).

    fastai's own takes weighted classes into the focus as well; here they weigh what comes of it, as in the paper.
    """

    def of_each(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        cross_entropy = functional.cross_entropy(logits, labels, reduction="none")
        return (1 - (-cross_entropy).exp()) ** _FOCUS * cross_entropy


class SquaredError(_OfProbabilities):
    """Mean over the classes of the squared difference between probability and 1 or 0 (Brier 1950)."""

    def of_each(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        probabilities = logits.softmax(dim=1)
        return ((probabilities - functional.one_hot(labels, logits.shape[1])) ** 2).mean(dim=1)


def make_loss(name: str, label_smoothing: float, class_weights: torch.Tensor | None) -> Any:
    """The loss called `name`; label smoothing goes with cross-entropy only."""
    if name == CROSS_ENTROPY:
        return fastai.CrossEntropyLossFlat(weight=class_weights, label_smoothing=label_smoothing)
    return {FOCAL: Focal, MSE: SquaredError}[name](class_weights)


def plain_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """In nats, of one batch."""
    return functional.cross_entropy(plain(logits).detach().float(), plain(labels)).item()


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Without the type that fastai gives to pictures and labels, which it refuses to mix."""
    return tensor.as_subclass(torch.Tensor)
