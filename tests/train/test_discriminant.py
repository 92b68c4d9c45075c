"""That the discriminant is the textbook's, and that a head blended with it answers with the mean of both."""

import numpy as np
import pytest
import torch
from birds.models.architectures import make_head
from birds.train import discriminant as module
from birds.train.discriminant import Discriminant, discriminant, discriminant_of
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

CLASSES, LENGTH = 3, 12


def drawn(pictures: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of classes that differ in their means, every feature on a scale of its own; class indices."""
    chance = np.random.default_rng(seed)
    labels = chance.permutation(np.arange(pictures) % CLASSES)
    means = np.random.default_rng(99).normal(size=(CLASSES, LENGTH))
    scales = np.geomspace(0.1, 10, LENGTH)
    return ((means[labels] + chance.normal(size=(pictures, LENGTH)) + 3) * scales).astype(np.float32), labels


class Shrunk:
    """scikit-learn asks an object like this for a covariance."""

    def __init__(self, shrinkage: float) -> None:
        self.shrinkage = shrinkage

    def fit(self, vectors: np.ndarray) -> "Shrunk":
        covariance = np.cov(vectors.T, bias=True)
        self.covariance_ = (1 - self.shrinkage) * covariance + self.shrinkage * np.eye(len(covariance))
        return self


class Views:
    """What `discriminant_of` asks of `Features`: one view."""

    views = ("whole",)

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors, self.asked = vectors, []

    def gather(self, rows: np.ndarray, view: int) -> np.ndarray:
        self.asked += rows.tolist()
        return self.vectors[rows]


@pytest.mark.parametrize("shrinkage", [0.01, 0.3, 0.9])
def test_it_is_that_of_scikit_learn(shrinkage: float) -> None:
    vectors, labels = drawn(90)
    found = discriminant(vectors, labels, shrinkage)
    standardised = (vectors.astype(np.float64) - vectors.mean(0)) / np.sqrt(vectors.var(0) + 1e-5)
    peer = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Shrunk(shrinkage), priors=[1 / CLASSES] * 3)
    expected = peer.fit(standardised, labels).decision_function(standardised)
    logits = vectors @ found.weight.numpy().T + found.bias.numpy()
    assert (logits - logits[:, :1]) == pytest.approx(expected - expected[:, :1], abs=1e-3)


def test_a_head_blended_with_it_answers_with_the_mean_of_both() -> None:
    generator = torch.Generator().manual_seed(0)
    head = make_head(LENGTH, CLASSES).eval()
    for tensor in (*head.parameters(), head[0].running_mean, head[0].running_var):
        tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    vectors = torch.randn(7, LENGTH, generator=generator)
    found = Discriminant(torch.randn(CLASSES, LENGTH).double(), torch.randn(CLASSES).double())
    expected = (head(vectors).detach() + vectors @ found.weight.T.float() + found.bias.float()) / 2
    found.blend_into(head)
    torch.testing.assert_close(head(vectors).detach(), expected, rtol=1e-4, atol=1e-4)


def logits_of(found: Discriminant, vectors: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(vectors).double() @ found.weight.T + found.bias


def test_it_is_as_sure_as_fits_the_validation_pictures() -> None:
    vectors, labels = drawn(60)
    fresh, truth = (torch.from_numpy(part) for part in drawn(300, seed=1))
    found = discriminant_of(Views(vectors), labels, [(fresh, truth)], is_balanced=True)
    loss = torch.nn.functional.cross_entropy(logits_of(found, fresh.numpy()), truth)
    for degree in (0.7, 1.4):
        other = torch.nn.functional.cross_entropy(logits_of(found, fresh.numpy()) / degree, truth)
        assert loss < other


def test_a_frequent_class_is_likelier_beforehand_unless_classes_count_alike() -> None:
    vectors, labels = drawn(90)
    kept = np.concatenate([np.flatnonzero(labels == 0)[:10], np.flatnonzero(labels > 0)])
    valid = [(torch.from_numpy(vectors), torch.from_numpy(labels))]
    plain, alike = (
        discriminant_of(Views(vectors[kept]), labels[kept], valid, is_balanced=is_balanced) for is_balanced in (0, 1)
    )
    torch.testing.assert_close(plain.weight, alike.weight)
    assert (plain.bias - alike.bias).exp().tolist() == pytest.approx([1 / 7, 3 / 7, 3 / 7])


def test_of_very_many_pictures_it_takes_as_many_of_each_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PICTURES", 30)
    vectors, labels = drawn(90)
    kept = np.concatenate([np.flatnonzero(labels == 0)[:2], np.flatnonzero(labels > 0)])
    views = Views(vectors[kept])
    discriminant_of(views, labels[kept], [(torch.from_numpy(vectors), torch.from_numpy(labels))], is_balanced=False)
    assert np.bincount(labels[kept][views.asked]).tolist() == [2, 10, 10]
    assert len(set(views.asked)) == 22
