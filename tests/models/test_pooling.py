"""Pooling: what the vectors are made of, and where SqueezeNet's mixtures come from."""

from pathlib import Path

import pytest
import torch
from birds.models import architectures
from birds.models.features import arch_of, load_body
from birds.models.gate import torchvision
from birds.models.pooling import ConcatPool, SecondOrderPool, directions
from safetensors.torch import save_file

CHANNELS = 100


@pytest.fixture
def seen() -> torch.Tensor:
    return torch.randn(3, CHANNELS, 5, 4, generator=torch.Generator().manual_seed(0))


def test_concat_pool_is_mean_and_maximum(seen: torch.Tensor) -> None:
    pooled = ConcatPool()(seen)
    assert pooled.shape == (3, 2 * CHANNELS, 1, 1)
    torch.testing.assert_close(pooled[:, :CHANNELS, 0, 0], seen.mean((2, 3)))
    torch.testing.assert_close(pooled[:, CHANNELS:, 0, 0], seen.amax((2, 3)))


def test_second_order_pool_holds_mean_products_of_mixtures_before_mean_and_maximum(seen: torch.Tensor) -> None:
    pool = SecondOrderPool(CHANNELS)
    pool.mixtures.copy_(directions(torch.randn(80, CHANNELS, 1, 1)))
    pooled = pool(seen)
    assert pooled.shape == (3, pool.length)
    first = pooled[0, : -2 * CHANNELS]
    assert first.norm().item() == pytest.approx(1)
    places = [pool.mixtures @ seen[0, :, y, x] for y in range(5) for x in range(4)]
    products = torch.stack([place[:, None] * place[None, :] for place in places]).mean(0)
    expected = torch.tensor([products[i, j] for i in range(64) for j in range(i, 64)])
    expected = expected.sign() * expected.abs().sqrt()
    torch.testing.assert_close(first, expected / expected.norm(), atol=2e-3, rtol=0)
    torch.testing.assert_close(pooled[:, -2 * CHANNELS :], ConcatPool()(seen).flatten(1))


def test_second_order_pool_can_be_learnt_through_where_nothing_is_seen() -> None:
    seen = torch.zeros(1, CHANNELS, 2, 2, requires_grad=True)
    SecondOrderPool(CHANNELS)(seen).sum().backward()
    assert seen.grad is not None
    assert seen.grad.isfinite().all()


def test_directions_are_orthonormal_the_strongest_first_whatever_the_sign() -> None:
    weights = torch.randn(80, CHANNELS) * torch.linspace(5, 0.1, CHANNELS)
    found = directions(weights)
    torch.testing.assert_close(found @ found.T, torch.eye(64), atol=1e-3, rtol=0)
    centred = weights - weights.mean(0)
    strengths = (centred @ found.T).norm(dim=0)
    assert (strengths.diff() <= 1e-2).all()
    torch.testing.assert_close(directions(-weights), found)


@pytest.mark.parametrize("classes", [1000, 5])
def test_squeezenets_mixtures_come_from_the_classifier_in_the_file(tmp_path: Path, classes: int) -> None:
    path = tmp_path / "squeezenet1_1.safetensors"
    tensors = torchvision.models.squeezenet1_1(weights=None, num_classes=classes).state_dict()
    save_file(tensors, path)
    assert arch_of(path) == "squeezenet1_1"
    mixtures = load_body("squeezenet1_1", str(path)).state_dict()["classifier.0.mixtures"]
    torch.testing.assert_close(mixtures, directions(tensors["classifier.1.weight"]))


def test_squeezenet_without_a_classifier_in_the_file_mixes_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "body.safetensors"
    tensors = torchvision.models.squeezenet1_1(weights=None).state_dict()
    save_file({key: value for key, value in tensors.items() if key.startswith("features")}, path)
    mixtures = load_body("squeezenet1_1", str(path)).state_dict()["classifier.0.mixtures"]
    torch.testing.assert_close(mixtures @ mixtures.T, torch.eye(64))


def test_mobilenets_features_are_mean_and_maximum_of_its_last_map() -> None:
    body, length = architectures.make_body("mobilenet_v2")
    body.eval()
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        features, seen = body(pictures), body.features[:-1](pictures)
    assert features.shape == (2, length)
    torch.testing.assert_close(features, ConcatPool()(seen).flatten(1))
