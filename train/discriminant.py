"""The shrunk linear discriminant of features (Friedman 1989), which a head that is trained on them is blended with.

Its classes have a mean each and one covariance together, most of which is replaced by that of independent features: a
few hundred pictures say little about how thousands of features vary together. It takes no training, and errs elsewhere
than a head that is trained by gradients, so that the mean of both, one linear layer again, is better than the head:
docs/training.md has the figures. They are of some 500 pictures; where there are thousands the head needs no such help.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.features import Features
from .calibration import temperature

MOST_PICTURES = 2_000  # beyond which there is none unless asked for
SHRINKAGE = 0.7
_LEAST_VARIANCE = 1e-5  # added to every variance, as batch norm does
_USUAL_DEGREE, _SPREAD = 16.0, 0.5  # features repeat each other, so that logits are too sure: 15 to 18 times


class Discriminant(NamedTuple):
    """Logits of vectors [n, d] are ``vectors @ weight.T + bias``: float64 [classes, d] and [classes]."""

    weight: torch.Tensor
    bias: torch.Tensor

    def blend_into(self, head: torch.nn.Sequential) -> None:
        """Make the head of `architectures.make_head` answer with the mean of its own logits and these."""
        norm: Any
        linear: Any
        norm, _, linear = head
        mean, variance, factor, offset = (
            tensor.detach().cpu().double() for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        )
        spread = (variance + norm.eps).sqrt() / factor  # vectors are what comes of norm, times this, plus centre
        centre = mean - offset * spread
        with torch.no_grad():
            linear.weight.lerp_((self.weight * spread).to(linear.weight), 0.5)
            linear.bias.lerp_((self.bias + self.weight @ centre).to(linear.bias), 0.5)


def discriminant(
    vectors: NDArray[np.float32], labels: NDArray[np.integer], shrinkage: float = SHRINKAGE
) -> Discriminant:
    """The linear discriminant of vectors [n, d] with class indices [n], each class at least once.

    Parameters
    ----------
    shrinkage : share of the covariance, of standardised features, that is replaced by the identity; above 0, below 1.

    Of n vectors the covariance has rank n, so that n equations give what d would, by Woodbury's identity.
    """
    seen, members = torch.from_numpy(vectors), torch.eye(int(labels.max()) + 1)[torch.from_numpy(labels)]
    mean, scale = seen.mean(0), (seen.var(0, unbiased=False) + _LEAST_VARIANCE).rsqrt()
    seen = (seen - mean) * scale
    means = members.T @ seen / members.sum(0)[:, None]
    within = seen - members @ means
    ridge = len(seen) * shrinkage / (1 - shrinkage)
    products = (within @ within.T).double()
    products.diagonal().add_(ridge)
    shares = torch.linalg.solve(products, (within @ means.T).double())
    weight = (means.double() - shares.T @ within.double()) / shrinkage
    bias = -(weight * means).sum(1) / 2 - (weight * scale) @ mean.double()
    return Discriminant(weight * scale, bias)


def discriminant_of(features: Features, labels: NDArray[np.integer], valid: Any, *, is_balanced: bool) -> Discriminant:
    """That of the training pictures with `labels`, as sure as fits the validation pictures best.

    Of some 2,000 pictures, as many of each class, where there are more.

    Parameters
    ----------
    valid : batches of (vectors, class indices).
    is_balanced : classes count alike, however many pictures each has.
    """
    counts, views = np.bincount(labels), len(features.views)
    most = max(1, MOST_PICTURES // len(counts))
    of_each = [np.flatnonzero(labels == number) for number in range(len(counts))]
    rows = np.concatenate([found[:: -(-len(found) // most)] for found in of_each])
    vectors = np.concatenate([features.gather(rows, view) for view in range(views)])
    weight, bias = discriminant(vectors, np.tile(labels[rows], views))
    seen = [(batch.cpu().double() @ weight.T + bias, truth.cpu()) for batch, truth in valid]
    logits, truth = (torch.cat(parts) for parts in zip(*seen, strict=True))
    degree = _USUAL_DEGREE * temperature(logits / _USUAL_DEGREE, truth, _SPREAD)
    before = 0 if is_balanced else torch.from_numpy(counts / len(labels)).log()
    return Discriminant(weight / degree, bias / degree + before)
