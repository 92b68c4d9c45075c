"""Grad-CAM shows the place that a class is read from, whatever the network is made of."""

import numpy as np
import pytest
import torch
from birds.errors import ModelError
from birds.models.architectures import Classifier, make_body, make_head
from birds.models.gradcam import heat_map, overlay
from birds.models.pooling import ConcatPool
from PIL import Image
from torch import nn


def picture_with_a_red_corner(side: int = 32) -> np.ndarray:
    picture = np.full((side, side, 3), 60, np.uint8)
    picture[: side // 4, : side // 4, 0] = 255
    return picture


class Colours(nn.Module):
    """Features: mean and maximum of each colour, from a map of a quarter of the picture's side."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.AvgPool2d(4)
        self.pool = ConcatPool()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.pool(self.map(pictures).relu()).flatten(1)


def reads_red(*, mirror: bool = False) -> Classifier:
    head = nn.Linear(6, 2)
    with torch.no_grad():
        head.bias.zero_()
        head.weight.copy_(torch.tensor([[3.0, 0, 0, 0, 0, 0], [0, 0, 3, 0, 0, 0]]))  # red; blue
    return Classifier(Colours(), nn.Sequential(head), mirror=mirror).eval()


@pytest.mark.parametrize("mirror", [False, True])
def test_the_map_is_hot_where_the_class_is_seen(mirror: bool) -> None:
    heat = heat_map(reads_red(mirror=mirror), picture_with_a_red_corner(), 0)
    assert heat.shape == (8, 8)
    assert heat.dtype == np.float32
    assert heat.max() == 1
    assert heat[:2, :2].min() > 0.9
    assert heat[2:].max() < 0.1
    assert heat[:, 2:].max() < 0.1


def test_another_class_is_seen_elsewhere() -> None:
    picture = picture_with_a_red_corner()
    picture[24:, 24:] = (0, 0, 255)
    heat = heat_map(reads_red(), picture, 1)
    assert np.unravel_index(heat.argmax(), heat.shape) >= (6, 6)
    assert heat[:2, :2].max() < 0.1


def small_transformer() -> tuple[nn.Module, int]:
    from birds.models.gate import torchvision

    body = torchvision.models.VisionTransformer(
        image_size=64, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    body.heads = nn.Identity()  # type: ignore[assignment]
    return body, 16


@pytest.mark.parametrize("name", ["mobilenet_v2", "swin_t", "transformer"])
def test_maps_of_convolutions_and_of_tokens_are_found(name: str) -> None:
    torch.manual_seed(0)
    body, features = small_transformer() if name == "transformer" else make_body(name)
    network = Classifier(body, make_head(features, 3)).eval()
    nn.init.normal_(network.head[-1].weight)  # type: ignore[arg-type]
    parameters = list(network.parameters())
    parameters[0].requires_grad_(False)
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    heats = [heat_map(network, picture, index) for index in range(3)]
    assert heats[0].shape == ((8, 8) if name == "transformer" else (2, 2))
    assert all(0 <= heat.min() <= heat.max() <= 1 for heat in heats)
    assert any(heat.max() == 1 for heat in heats)
    assert all(parameter.grad is None for parameter in parameters), "nothing is left behind in the network"


def test_a_network_that_keeps_no_map_says_so() -> None:
    body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4))
    network = Classifier(body, nn.Sequential(nn.Linear(4, 2))).eval()
    with pytest.raises(ModelError, match="keeps no map"):
        heat_map(network, np.zeros((8, 8, 3), np.uint8), 0)


def test_an_overlay_is_brightest_where_the_map_is_hot_and_leaves_the_picture_alone() -> None:
    image = Image.new("RGB", (60, 40), (120, 120, 120))
    heat = np.zeros((4, 6), np.float32)
    heat[0, 5] = 1
    shown = overlay(image, heat)
    assert shown.size == image.size
    gray = np.asarray(shown.convert("L"))
    assert gray[2, 57] > 2 * gray[35, 5]
    assert image.getpixel((0, 0)) == (120, 120, 120)
