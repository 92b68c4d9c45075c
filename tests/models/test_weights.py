"""Weights of every origin and wrapping fill the body they are for and no other."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from birds.errors import WeightsError
from birds.models.architectures import make_body
from birds.models.gate import torchvision
from birds.models.weights import is_cached, load_pretrained
from safetensors.torch import save_file
from torch import nn

Tensors = dict[str, torch.Tensor]
SMALL = "shufflenet_v2_x0_5"  # 1.4 million parameters


def network_of(name: str, seed: int = 0, classes: int = 1000) -> nn.Module:
    torch.manual_seed(seed)
    extra = {"init_weights": False} if name == "googlenet" else {}
    return torchvision.models.get_model(name, weights=None, num_classes=classes, **extra)


def assert_filled(body: nn.Module, state: Tensors) -> None:
    own = body.state_dict()
    own.pop("classifier.0.mixtures", None)  # of SqueezeNet's pool, derived from the classifier
    assert all(torch.equal(tensor, state[key]) for key, tensor in own.items())


# -- files


@pytest.mark.parametrize("name", ["mnasnet0_5", "squeezenet1_1", "mobilenet_v3_small", "regnet_x_400mf"])
@pytest.mark.parametrize("save", [torch.save, save_file], ids=["pth", "safetensors"])
def test_a_file_fills_the_body(tmp_path: Path, name: str, save: Callable[[Tensors, Path], None]) -> None:
    state = network_of(name, classes=964).state_dict()
    path = tmp_path / f"some{'.safetensors' if save is save_file else '.pth'}"
    save(state, path)
    body, _ = make_body(name)
    assert load_pretrained(body, name, str(path)) == f"{path}; its head of 964 classes is left out"
    assert_filled(body, state)


def test_auxiliary_classifiers_are_left_out_and_inputs_are_what_the_weights_expect(tmp_path: Path) -> None:
    network = network_of("googlenet")
    torch.save(network.state_dict(), tmp_path / "g.pth")
    body, _ = make_body("googlenet")
    assert "its head of 1000 classes" in load_pretrained(body, "googlenet", str(tmp_path / "g.pth"))
    fresh, _ = make_body("googlenet")  # as a run's learner is built when it is opened again
    fresh.load_state_dict(body.state_dict())
    network.transform_input = True  # as torchvision sets it for its weights
    pictures = torch.randn(2, 3, 64, 64)
    seen: list[torch.Tensor] = []
    network.avgpool.register_forward_hook(lambda _module, _inputs, mean: seen.append(mean.flatten(1)))
    with torch.no_grad():
        network.eval()(pictures)
        loaded, opened = body.eval()(pictures), fresh.eval()(pictures)
    torch.testing.assert_close(loaded[:, :1024], seen[0])
    torch.testing.assert_close(opened, loaded)


def test_densenets_published_names_are_understood(tmp_path: Path) -> None:
    state = network_of("densenet121").state_dict()
    old = {}
    for key, tensor in state.items():
        for layer in ("norm1", "norm2", "conv1", "conv2"):
            key = key.replace(f".{layer}.", f".{layer[:-1]}.{layer[-1]}.") if "denselayer" in key else key  # noqa: PLW2901
        old[key] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "d.pth")
    body, _ = make_body("densenet121")
    load_pretrained(body, "densenet121", str(tmp_path / "d.pth"))
    assert_filled(body, state)


def test_vits_published_names_are_understood(tmp_path: Path) -> None:
    def tiny() -> nn.Module:
        return torchvision.models.VisionTransformer(32, 16, num_layers=2, num_heads=1, hidden_dim=8, mlp_dim=16)

    state = tiny().state_dict()
    old = {key.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): t for key, t in state.items()}
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "v.pth")
    body = tiny()
    body.heads[0] = nn.Identity()
    load_pretrained(body, "vit_b_16", str(tmp_path / "v.pth"))
    assert_filled(body, state)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state, "lr": 0.1},
        lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
        lambda state: {"state_dict": OrderedDict((f"model.{key}", tensor) for key, tensor in state.items())},
        lambda state: {"model": {f"module.model.{key}": tensor for key, tensor in state.items()}},
    ],
    ids=["state_dict", "model", "module.", "state_dict with model.", "model with module.model."],
)
def test_what_training_scripts_wrap_weights_in_comes_off(tmp_path: Path, wrap: Callable[[Tensors], Any]) -> None:
    state = network_of(SMALL).state_dict()
    torch.save(wrap(state), tmp_path / "w.pth")
    body, _ = make_body(SMALL)
    load_pretrained(body, SMALL, str(tmp_path / "w.pth"))
    assert_filled(body, state)


def test_weights_without_a_head_say_nothing_of_one(tmp_path: Path) -> None:
    body, _ = make_body(SMALL)
    save_file(body.state_dict(), tmp_path / "body.safetensors")
    assert load_pretrained(body, SMALL, str(tmp_path / "body.safetensors")) == str(tmp_path / "body.safetensors")


def test_a_wrong_architecture_is_refused_with_the_first_misfits_and_changes_nothing(tmp_path: Path) -> None:
    torch.save(network_of(SMALL).state_dict(), tmp_path / "x0_5.pth")
    body, _ = make_body("shufflenet_v2_x1_0")
    before = {key: tensor.clone() for key, tensor in body.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_pretrained(body, "shufflenet_v2_x1_0", str(tmp_path / "x0_5.pth"))
    first = "stage2.0.branch1.2.weight is [24, 24, 1, 1] and should be [58, 24, 1, 1]"
    assert f"does not fit shufflenet_v2_x1_0: {first}; " in caught.value.message
    assert_filled(body, before)


def test_a_deeper_network_of_the_family_is_a_wrong_architecture(tmp_path: Path) -> None:
    torch.save(network_of("resnet34").state_dict(), tmp_path / "resnet34.pth")
    body, _ = make_body("resnet18")
    with pytest.raises(WeightsError, match=r"does not fit resnet18: layer1\.2\.conv1\.weight is not in it"):
        load_pretrained(body, "resnet18", str(tmp_path / "resnet34.pth"))


# -- published weights


def cache_weights(checkpoints: Path, entry: str, seed: int) -> Tensors:
    choices = torchvision.models.MobileNet_V2_Weights
    state: Tensors = network_of("mobilenet_v2", seed).state_dict()
    torch.save(state, checkpoints / choices[entry].url.rpartition("/")[2])
    return state


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_args: object, **_options: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", no_network)


def test_imagenet_and_imagenet_v1_are_torchvisions_default_and_first_weights(checkpoints: Path) -> None:
    states = {"imagenet": cache_weights(checkpoints, "IMAGENET1K_V2", 1)}
    assert (is_cached("mobilenet_v2"), is_cached("mobilenet_v2", "imagenet-v1")) == (True, False)
    states["imagenet-v1"] = cache_weights(checkpoints, "IMAGENET1K_V1", 2)
    body, _ = make_body("mobilenet_v2")
    for weights, state in states.items():
        assert "(cached)" in load_pretrained(body, "mobilenet_v2", weights)
        assert_filled(body, state)


@pytest.mark.usefixtures("offline")
def test_imagenet_never_stands_for_other_weights_that_happen_to_be_cached(checkpoints: Path) -> None:
    cache_weights(checkpoints, "IMAGENET1K_V1", 0)
    body, _ = make_body("mobilenet_v2")
    with pytest.raises(WeightsError, match=r"--weights imagenet-v1 are cached.*--weights FILE.*--no-pretrained"):
        load_pretrained(body, "mobilenet_v2", "imagenet")


@pytest.mark.usefixtures("offline")
def test_a_download_says_what_it_is_and_how_large(notes: Any) -> None:
    body, _ = make_body(SMALL)
    with pytest.raises(WeightsError, match=r"could not be downloaded: Network is unreachable.*--weights FILE"):
        load_pretrained(body, SMALL, "imagenet", notes)
    assert notes.lines == [f"Downloading the ImageNet weights of {SMALL} (5 MB)."]


def test_without_first_weights_the_error_names_what_there_is() -> None:
    with pytest.raises(WeightsError, match=r"no weights imagenet-v1 of vit_h_14: .* IMAGENET1K_SWAG_E2E_V1, "):
        load_pretrained(nn.Identity(), "vit_h_14", "imagenet-v1")


# -- timm


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of huggingface_hub's cache, of this test alone and without a network."""
    pytest.importorskip("timm", reason='timm is not installed: pip install "birds[timm]"')
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def timm_state(seed: int) -> Tensors:
    import timm

    torch.manual_seed(seed)
    state: Tensors = timm.create_model("test_resnet", pretrained=False).state_dict()
    return state


def test_timms_weights_come_from_its_cache_without_asking_the_network(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = hub / "models--timm--test_resnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    state = timm_state(7)
    save_file(state, snapshot / "model.safetensors")
    monkeypatch.delattr("timm.models._hub.hf_hub_download")
    assert is_cached("timm:test_resnet")
    body, _ = make_body("timm:test_resnet")
    assert "timm publishes for timm:test_resnet" in load_pretrained(body, "timm:test_resnet", "imagenet")
    assert_filled(body, state)


def test_timms_weights_that_cannot_be_had_name_the_ways_out(hub: Path) -> None:
    body, _ = make_body("timm:test_resnet")
    assert not is_cached("timm:test_resnet")
    with pytest.raises(WeightsError, match=r"could not be had from timm: .*--weights FILE.*--no-pretrained"):
        load_pretrained(body, "timm:test_resnet", "imagenet")
    with pytest.raises(WeightsError, match="told apart by the network's name"):
        load_pretrained(body, "timm:test_resnet", "imagenet-v1")


def test_a_file_fills_a_network_of_timm(hub: Path, tmp_path: Path) -> None:
    state = timm_state(3)
    save_file(state, tmp_path / "t.safetensors")
    body, _ = make_body("timm:test_resnet")
    assert "head of 1000 classes" in load_pretrained(body, "timm:test_resnet", str(tmp_path / "t.safetensors"))
    assert_filled(body, state)
    other, _ = make_body("timm:test_convnext")
    with pytest.raises(WeightsError, match="does not fit timm:test_convnext: "):
        load_pretrained(other, "timm:test_convnext", str(tmp_path / "t.safetensors"))
