"""The shrunk linear discriminant of features (Friedman 1989), which a head that is trained on them is blended with.

Its classes have a mean each and one covariance together, most of which is replaced by that of independent features: a
few hundred pictures say little about how thousands of features vary together. It takes no training, and errs elsewhere
than a head that is trained by gradients, so that the mean of both, one linear layer again, is better than either:
docs/training.md has the figures.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.features import Features
from .calibration import temperature

SHRINKAGE = 0.7
_LEAST_VARIANCE = 1e-5  # added to every variance, as batch norm does
_MOST_PICTURES = 10_000
_BATCH = 1_024
_USUAL_DEGREE, _SPREAD = (
    16.0,
    0.5,
)  # features repeat each other, so that logits are too sure: divided by 15 to 18 they fit


class Discriminant(NamedTuple):
    """Logits of vectors [n, d] are ``vectors @ weight.T + bias``: float64 [classes, d] and [classes]."""

    weight: torch.Tensor
    bias: torch.Tensor

    def blend_into(self, head: torch.nn.Sequential) -> None:
        """Make the head of `architectures.make_head` answer with the mean of its own logits and these."""
        norm: Any
        linear: Any
        norm, _, linear = head
        spread = (norm.running_var.double() + norm.eps).sqrt() / norm.weight.double()
        centre = (
            norm.running_mean.double() - norm.bias.double() * spread
        )  # vectors are what norm gives * spread + centre
        with torch.no_grad():
            linear.weight.lerp_((self.weight * spread).to(linear.weight), 0.5)
            linear.bias.lerp_((self.bias + self.weight @ centre).to(linear.bias), 0.5)


def discriminant(
    batches: Iterable[tuple[NDArray[np.float32], NDArray[np.integer]]], classes: int, shrinkage: float = SHRINKAGE
) -> Discriminant:
    """The linear discriminant of features in batches of (vectors [n, d], class indices [n]), each class at least once.

    Parameters
    ----------
    shrinkage : share of the covariance, of standardised features, that is replaced by the identity.
    """
    counts, sums, products = (torch.zeros(shape, dtype=torch.float64) for shape in ((classes,), (classes, 1), (1, 1)))
    shift = torch.zeros(0)
    for vectors, labels in batches:
        seen = torch.from_numpy(vectors)
        shift = shift if len(shift) else seen.mean(0)  # so that single precision is enough for the products
        seen = seen - shift
        members = torch.eye(classes)[torch.from_numpy(labels)]
        counts = counts + members.sum(0).double()
        sums = sums + (members.T @ seen).double()
        products = products + (seen.T @ seen).double()
    pictures = counts.sum()
    mean, means = sums.sum(0) / pictures, sums / counts[:, None]
    scale = ((products.diagonal() / pictures - mean**2).clamp_min(0) + _LEAST_VARIANCE).rsqrt()
    covariance = (products - (means.T * counts) @ means) / pictures  # within classes
    covariance *= (1 - shrinkage) * scale * scale[:, None]
    covariance.diagonal().add_(shrinkage)
    centred = (means - mean) * scale
    weight = torch.linalg.solve(covariance, centred.T).T
    bias = -(weight * centred).sum(1) / 2 - (weight * scale) @ (mean + shift.double())
    return Discriminant(weight * scale, bias)


def discriminant_of(features: Features, labels: NDArray[np.integer], valid: Any, *, is_balanced: bool) -> Discriminant:
    """That of the training pictures with `labels`, as sure as fits the validation pictures best.

    Of some 10,000 pictures, as many of each class, where there are more.

    Parameters
    ----------
    valid : batches of (vectors, class indices).
    is_balanced : classes count alike, however many pictures each has.
    """
    counts = np.bincount(labels)
    weight, bias = discriminant(_batches(features, labels, len(counts)), len(counts))
    seen = [(vectors.cpu().double() @ weight.T + bias, truth.cpu()) for vectors, truth in valid]
    logits, truth = (torch.cat(parts) for parts in zip(*seen, strict=True))
    degree = _USUAL_DEGREE * temperature(logits / _USUAL_DEGREE, truth, _SPREAD)
    before = 0 if is_balanced else torch.from_numpy(counts / len(labels)).log()
    return Discriminant(weight / degree, bias / degree + before)


def _batches(
    features: Features, labels: NDArray[np.integer], classes: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.integer]]]:
    most = max(1, _MOST_PICTURES // classes)
    of_each = [np.flatnonzero(labels == number) for number in range(classes)]
    chosen = np.concatenate([rows[:: -(-len(rows) // most)] for rows in of_each])
    for start in range(0, len(chosen), _BATCH):
        rows = chosen[start : start + _BATCH]
        for view in range(len(features.views)):
            yield features.gather(rows, view), labels[rows]
