"""The small networks: exactly the parameters they are drawn with, the options in their names, the table of layers."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from birds.errors import UsageError, WeightsError
from birds.models import architectures, small
from birds.models.architectures import Classifier, find, make_body, make_head
from birds.models.archs_command import archs
from birds.models.layer_table import layer_table
from birds.models.weights import load_pretrained
from torch import nn
from typer import Typer
from typer.testing import CliRunner

app = Typer()
app.command()(archs)


def built(name: str, classes: int) -> Classifier:
    body, features = make_body(name)
    return Classifier(body, make_head(features, classes, body)).eval()


def trainable(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters() if one.requires_grad)


# -- what the reports counted


@pytest.mark.parametrize(
    ("name", "size", "classes", "parameters"),
    [
        ("bird_cnn", 256, 20, 33_953_620),
        ("emoji_cnn", 32, 5, 1_069_509),
        ("alexnet_small", 32, 10, 6_199_498),
        ("base_net", 32, 25, 24_197),
    ],
)
def test_each_has_exactly_the_parameters_it_was_drawn_with(name: str, size: int, classes: int, parameters: int) -> None:
    network = built(name, classes)
    assert trainable(network) == parameters
    assert find(name).size == size
    assert round((find(name).parameters or 0) * 1e6) == parameters
    with torch.no_grad():
        assert network(torch.zeros(2, 3, size, size)).shape == (2, classes)


def test_simple_cnn_has_813600_weights_beside_its_biases() -> None:
    network = built("simple_cnn", 10)
    weights = {name: one.numel() for name, one in network.named_parameters() if not name.endswith("bias")}
    assert list(weights.values()) == [32 * 9, 32 * 32 * 9, 6272 * 128, 128 * 10]
    assert sum(weights.values()) == 813_600
    assert trainable(network) == 813_600 + 32 + 32 + 128 + 10
    assert find("simple_cnn").size == 28


def test_simple_cnn_sees_only_how_light_a_picture_is() -> None:
    torch.manual_seed(0)
    network, picture = built("simple_cnn", 10), torch.rand(1, 3, 28, 28)
    red, green, blue = picture.unbind(1)
    grey = (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(1).expand(1, 3, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(network(picture), network(grey))
        assert not torch.allclose(network(picture), network(picture.flip(1)), atol=1e-6)


# -- options


def kinds(name: str) -> list[str]:
    body, _ = make_body(name)
    return [type(layer).__name__ for layer in body.layers]


def test_the_kernel_and_the_convolutions_of_bird_cnn_can_be_chosen() -> None:
    with torch.device("meta"):  # half a gigabyte else
        both, _ = make_body("bird_cnn:kernel=6,convs=2")
    convolutions = [layer for layer in both.layers if isinstance(layer, nn.Conv2d)]
    assert [(one.out_channels, one.kernel_size, one.padding) for one in convolutions] == [
        (32, (6, 6), (1, 1)), (64, (6, 6), (1, 1)),
    ]  # fmt: skip
    assert kinds("bird_cnn").count("Conv2d") == 4
    # 256 pixels become 253, 126, 123 and 61
    assert small.count_parameters("bird_cnn:convs=2,kernel=6") == (
        32 * 3 * 36 + 32 + 64 * 32 * 36 + 64 + 512 * 64 * 61 * 61 + 512 + 20 * 512 + 20
    )


@pytest.mark.parametrize(("activation", "kind"), [("relu", "ReLU"), ("sigmoid", "Sigmoid"), ("softmax", "Softmax")])
def test_the_activation_of_emoji_cnn_changes_no_count(activation: str, kind: str) -> None:
    name = f"emoji_cnn:activation={activation}"
    assert kinds(name).count(kind) == 3
    assert trainable(built(name, 5)) == 1_069_509


def test_base_net_is_improved_one_step_after_the_other() -> None:
    steps = ["base_net:depth=4", "base_net:depth=4,dropout=0.25", "base_net:depth=4,dropout=0.25,batch_norm=yes"]
    assert [kinds(name).count("Conv2d") for name in ("base_net", *steps)] == [2, 4, 4, 4]
    assert [kinds(name).count("Dropout") for name in ("base_net", *steps)] == [0, 0, 1, 1]
    assert [kinds(name).count("BatchNorm2d") for name in ("base_net", *steps)] == [0, 0, 0, 4]
    _, head = built(steps[1], 25).children()
    assert [type(layer).__name__ for layer in head] == ["Dropout", "Linear"]
    assert [layer.p for layer in head if isinstance(layer, nn.Dropout)] == [0.25]


def test_a_name_says_what_keyword_arguments_say() -> None:
    named, _ = make_body("base_net:depth=3,dropout=0.5,batch_norm=yes,size=48")
    called = small.base_net(depth=3, dropout=0.5, batch_norm=True, size=48)
    assert str(named) == str(called)
    assert named.state_dict().keys() == called.state_dict().keys()


@pytest.mark.parametrize("name", [*small.DESIGNS, "bird_cnn:kernel=6"])
def test_any_size_is_built_for_when_it_is_asked_for(name: str) -> None:
    sized = architectures.built_for(name, 64)
    assert (find(sized).size, architectures.evaluation_size(sized, 64)) == (64, 64)
    with torch.no_grad():
        assert built(sized, 3)(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    assert architectures.built_for(sized, 64) == sized
    assert architectures.built_for(name, find(name).size) == name
    with pytest.raises(UsageError, match="one place"):
        architectures.built_for(sized, 65)


def test_pictures_of_another_size_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="emoji_cnn is built for 32 x 32 pixels, not 48 x 48"):
        built("emoji_cnn", 5)(torch.zeros(1, 3, 48, 48))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bird_cnn:kernel=5", "kernel of bird_cnn cannot be '5'. Choose from 3, 6"),
        ("bird_cnn:depth=3", "has no option 'depth'. It has size, kernel, convs"),
        ("bird_cnn:kernel", "no option with a value"),
        ("bird_cnn:", "no option with a value"),
        ("bird_cnn:kernel=3,kernel=6", "kernel twice"),
        ("bird_cnn:size=8", "too small for bird_cnn"),
        ("bird_cnn:size=0", "size of bird_cnn cannot be '0'"),
        ("bird_cnn:convs=2,size=1024", "2147 million weights"),
        ("base_net:dropout=nan", "dropout of base_net cannot be 'nan'"),
        ("base_net:dropout=1", "Give a share"),
        ("bird_cn", "Did you mean bird_cnn?"),
    ],
)
def test_a_name_that_cannot_be_built_is_told_in_one_line(name: str, said: str) -> None:
    with pytest.raises(UsageError) as told:
        find(name)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_nobody_publishes_weights_of_them() -> None:
    body, _ = make_body("base_net")
    with pytest.raises(WeightsError, match="--weights none"):
        load_pretrained(body, "base_net", "imagenet")


# -- among the others


@pytest.mark.parametrize("name", small.DESIGNS)
def test_the_last_linear_layer_is_the_head_and_three_groups_cover_the_rest(name: str) -> None:
    network = built(architectures.built_for(name, 32), 3)
    assert isinstance(network.head[-1], nn.Linear)
    groups = architectures.parameter_groups(network)
    assert all(groups)
    assert sum(one.numel() for group in groups for one in group) == trainable(network)
    with torch.no_grad():
        pictures = torch.rand(2, 3, 32, 32)
        logits = network(pictures)
        torch.testing.assert_close(network.head(network.body(pictures)), logits)
        network.head[-1].weight.mul_(0.5)
        network.head[-1].bias.mul_(0.5)  # as a temperature is folded in
        torch.testing.assert_close(network(pictures), logits / 2)


def test_they_become_onnx_with_any_number_of_pictures(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = built("simple_cnn", 4)  # the one with a step of its own
    path = tmp_path / "small.onnx"
    torch.onnx.export(
        network, (torch.rand(2, 3, 28, 28),), path, dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("n")},), input_names=["pictures"],
    )  # fmt: skip
    pictures = torch.rand(5, 3, 28, 28)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"pictures": pictures.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(logits, network(pictures).numpy(), atol=1e-5)


# -- the table of layers


def summary(*arguments: str) -> dict[str, Any]:
    answer = CliRunner().invoke(app, [*arguments, "--summary", "--json"])
    assert answer.exit_code == 0, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_the_summary_of_bird_cnn_has_shapes_parameters_and_memory() -> None:
    found = summary("bird_cnn", "--size", "256", "--classes", "20")
    rows = [(one["kind"], one["output_shape"], one["parameters"]) for one in found["layers"]]
    assert rows[:3] == [
        ("Conv2d", [32, 256, 256], 896), ("ReLU", [32, 256, 256], 0), ("MaxPool2d", [32, 128, 128], 0),
    ]  # fmt: skip
    assert rows[-5:] == [
        ("Flatten", [65536], 0), ("Linear", [512], 33_554_944), ("ReLU", [512], 0), ("Dropout", [512], 0),
        ("Linear", [20], 10_260),
    ]  # fmt: skip
    assert (found["parameters"], found["trainable"]) == (33_953_620, 33_953_620)
    assert found["parameter_bytes"] == 4 * 33_953_620
    maps = sum(channels * side**2 for channels, side in ((32, 256), (64, 128), (128, 64), (256, 32)))
    # each convolution, its ReLU, and a quarter of that; flattening and dropout take nothing
    assert found["output_bytes"] == 4 * (maps * 9 // 4 + 512 + 512 + 20)


def test_the_summary_for_a_person_prints_the_totals() -> None:
    answer = CliRunner().invoke(app, ["simple_cnn", "--summary"])
    assert "813,802 (813,600 without biases)" in answer.stdout
    assert "Memory in fp32: parameters 3.1 MB" in answer.stdout
    assert "802,944" in answer.stdout


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32", "googlenet", "squeezenet1_1", "regnet_x_400mf"])
def test_no_parameter_of_any_network_is_missing_or_counted_twice(name: str) -> None:
    body, features = make_body(name)
    expected = trainable(Classifier(body, make_head(features, 7)))
    table = layer_table(name, 7)
    assert (table.parameters, table.weights + table.biases) == (expected, expected)
    assert sum(one.parameters for one in table.layers) == expected


def test_layers_that_work_in_place_take_no_memory_of_their_own() -> None:
    layers = {one.name: one for one in layer_table("resnet18", 7).layers}
    assert layers["body.bn1"].output_bytes == 4 * 64 * 112 * 112
    assert layers["body.relu"].output_bytes == 0


def test_layers_stand_in_the_order_that_a_picture_passes_them() -> None:
    names = [one.name for one in layer_table("base_net", 25).layers]
    assert names == [f"body.layers.{index}" for index in range(9)] + ["head.0"]
    sides = [one.output_shape[1] for one in layer_table("resnet18", 7).layers if len(one.output_shape or ()) == 3]
    assert all(late <= early for early, late in pairwise(sides))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vit_b_32", "--summary", "--size", "100"], "cannot take pictures of 100 pixels"),
        (["bird", "--summary"], "There is no architecture 'bird'"),
        (["bird_cnn", "--size", "64"], "are for --summary"),
    ],
)
def test_a_summary_that_cannot_be_is_told_in_words(arguments: list[str], said: str) -> None:
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, UsageError)
    assert said in str(error)


def test_they_are_listed_with_the_others_and_with_their_options() -> None:
    listed = json.loads(CliRunner().invoke(app, ["_cnn", "--json"]).stdout)["archs"]
    assert [(one["name"], one["size"], one["accuracy"]) for one in listed] == [
        ("bird_cnn", 256, None), ("emoji_cnn", 32, None), ("simple_cnn", 28, None),
    ]  # fmt: skip
    (one,) = json.loads(CliRunner().invoke(app, ["base_net:depth=3", "--json"]).stdout)["archs"]
    assert one["parameters"] > 24_197 / 1e6
