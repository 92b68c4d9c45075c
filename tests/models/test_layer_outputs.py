"""Layers by name, and what each makes of pictures."""

import pytest
import torch
from birds.errors import UsageError
from birds.models.architectures import Classifier, make_body, make_head
from birds.models.layer_outputs import LAST, averaged, check_layer, layers_of, middle_of, outputs_of
from torch import nn


def network_of(name: str, *, mirror: bool = False) -> Classifier:
    torch.manual_seed(0)
    body, features = make_body(name)
    head = make_head(features, 3, body)
    nn.init.normal_(head[-1].weight)
    return Classifier(body, head, mirror=mirror).eval()


@pytest.fixture(scope="module")
def resnet() -> Classifier:
    return network_of("resnet18", mirror=True)


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_layers_come_in_the_order_of_use_with_the_shapes_of_one_picture(resnet: Classifier) -> None:
    layers = layers_of(resnet, 64)
    names = [layer.name for layer in layers]
    assert names.index("body.conv1") < names.index("body.layer1.0") < names.index("body.layer4") < names.index("body")
    shapes = {layer.name: layer.shape for layer in layers}
    assert (shapes["body.conv1"], shapes["body.layer2.0"], shapes[LAST]) == ([64, 32, 32], [128, 8, 8], [1024])
    assert shapes["head"] == [3]


def test_logits_are_those_of_the_network_and_the_last_layer_is_what_its_head_is_given(
    resnet: Classifier, pictures: torch.Tensor
) -> None:
    logits, found = outputs_of(resnet, pictures, [LAST, "head"])
    with torch.inference_mode():
        torch.testing.assert_close(logits, resnet(pictures))
        torch.testing.assert_close(resnet.head(found[LAST]), logits)
    torch.testing.assert_close(found["head"], logits)


def test_maps_are_averaged_over_places_and_mirror_images(resnet: Classifier, pictures: torch.Tensor) -> None:
    _, found = outputs_of(resnet, pictures, ["body.conv1"])
    with torch.inference_mode():
        sides = [resnet.body.conv1(view).mean((2, 3)) for view in (pictures, pictures.flip(-1))]
    torch.testing.assert_close(found["body.conv1"], (sides[0] + sides[1]) / 2)


def test_a_module_that_is_used_twice_is_looked_at_where_it_is_used_last(
    resnet: Classifier, pictures: torch.Tensor
) -> None:
    _, found = outputs_of(resnet, pictures, ["body.layer1.0.relu", "body.layer1.0"])
    torch.testing.assert_close(found["body.layer1.0.relu"], found["body.layer1.0"])


def test_an_activation_in_place_does_not_change_what_came_before_it() -> None:
    body = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 5), nn.ReLU(inplace=True))
    network = Classifier(body, nn.Sequential(nn.Linear(5, 2))).eval()
    _, found = outputs_of(network, torch.randn(6, 3, 4, 4), ["body.1", "body.2"])
    assert (found["body.1"] < 0).any()
    assert (found["body.2"] >= 0).all()


def test_channels_may_come_last_and_tokens_have_a_place_each() -> None:
    torch.testing.assert_close(averaged(torch.ones(2, 7, 7, 5).cumsum(3)), torch.arange(1.0, 6).expand(2, 5))
    torch.testing.assert_close(averaged(torch.ones(2, 5, 7, 7).cumsum(1)), torch.arange(1.0, 6).expand(2, 5))
    torch.testing.assert_close(averaged(torch.ones(2, 50, 5).cumsum(2)), torch.arange(1.0, 6).expand(2, 5))


class Encoder(nn.Module):
    """As a transformer's: a module of its own that holds the blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block() for _ in range(9)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.linear(x)


def test_the_middle_is_a_whole_block_of_a_large_network_and_ends_a_step_of_a_plain_one(resnet: Classifier) -> None:
    assert middle_of(resnet, layers_of(resnet, 64)) == "body.layer2.0"
    plain = network_of("bird_cnn:size=64")
    assert middle_of(plain, layers_of(plain, 64)) == "body.layers.7"
    stem = nn.Sequential(nn.Flatten(), nn.Linear(48, 8))
    tokens = Classifier(nn.Sequential(stem, Encoder()), nn.Sequential(nn.Linear(8, 2))).eval()
    assert middle_of(tokens, layers_of(tokens, 4)) == "body.1.blocks.4"


def test_an_unknown_layer_is_told_with_the_nearest(resnet: Classifier) -> None:
    layers = layers_of(resnet, 64)
    check_layer("body.layer3.1", layers)
    with pytest.raises(UsageError, match=r"no layer 'layer3\.1'") as caught:
        check_layer("layer3.1", layers)
    assert caught.value.hint == "Did you mean body.layer3.1?"
    with pytest.raises(UsageError) as caught:
        check_layer("", layers)
    assert "--layers" in caught.value.hint or "Did you mean" in caught.value.hint


def test_a_layer_that_gives_nothing_for_each_picture_is_refused(pictures: torch.Tensor) -> None:
    network = network_of("base_net:size=64")
    network.body.spare = nn.Linear(2, 2)
    with pytest.raises(UsageError, match="no output for each picture"):
        outputs_of(network, pictures, ["body.spare"])
