"""The network of an exported model as torch knows it, from tensors that hold nothing else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import birds
import numpy as np
import pytest
import torch
from birds.errors import ModelError
from birds.models.bundle import LoadedModel
from birds.models.manifest import Manifest, ModelClass, Preprocess
from birds.models.network import as_classifier, build_network, load_network, normalised
from safetensors.torch import load_file, save_file

PREPARED = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def model(exported: Path) -> LoadedModel:
    return birds.load("one", project=exported)


@pytest.fixture
def tensors(exported: Path, tmp_path: Path) -> Path:
    """A lone model.safetensors, to be changed."""
    return Path(shutil.copy(exported / "runs" / "one" / "bundle" / "model.safetensors", tmp_path))


def test_it_is_the_same_from_safetensors_a_checkpoint_and_a_pickle(model: LoadedModel) -> None:
    pickled = birds.load(model.files["fastai"])
    of_the_run = replace(model, files={"onnx": model.files["onnx"]})
    pictures = normalised(PREPARED, model.manifest.preprocess)
    with torch.no_grad():
        answers = [load_network(one)(pictures).softmax(1) for one in (model, pickled, of_the_run)]
    expected = torch.from_numpy(model.engine("onnx").probabilities(PREPARED))
    for answer in answers:
        torch.testing.assert_close(answer, expected, atol=1e-5, rtol=0)
    assert not load_network(model).training


def test_body_and_head_can_be_asked_one_by_one(model: LoadedModel) -> None:
    network = load_network(replace(model, manifest=replace(model.manifest, mirror=False)))
    pictures = normalised(PREPARED, model.manifest.preprocess)
    with torch.no_grad():
        torch.testing.assert_close(network.head(network.body(pictures)), network(pictures))


def test_pictures_are_normalised_by_what_the_manifest_says() -> None:
    white = np.full((1, 16, 16, 3), 255, dtype=np.uint8)
    own = normalised(white, Preprocess("squish", 16, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25)))
    assert own.shape == (1, 3, 16, 16)
    assert own[0, :, 0, 0].tolist() == [1.0, 1.0, 0.0]
    assert normalised(white)[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.64], abs=1e-4), "ImageNet's"


def test_a_network_of_2024_has_a_body_and_a_head_too() -> None:
    manifest = Manifest(
        (ModelClass("a"), ModelClass("b")), Preprocess("squish", 32), "resnet18", "2024", False, 1.0, 0.5
    )
    network = build_network(manifest, "model").eval()
    pictures = normalised(np.zeros((2, 32, 32, 3), dtype=np.uint8))
    with torch.no_grad():
        features = network.body(pictures)
        assert features.ndim == 2
        assert network.head(features).shape == (2, 2)
    assert as_classifier(network) is network


def test_weights_of_wrong_shape_or_name_are_named(tensors: Path) -> None:
    original = load_file(tensors)
    description = birds.load(tensors).manifest.to_json()
    wrong = {
        "head.0.weight is \\[2, 7\\] and should be \\[2, 50\\]": {**original, "head.0.weight": torch.zeros(2, 7)},
        "head.0.bias is missing": {key: value for key, value in original.items() if key != "head.0.bias"},
        "stranger is too many": {**original, "stranger": torch.zeros(1)},
    }
    for said, state in wrong.items():
        save_file(state, tensors, metadata={"birds": description})
        with pytest.raises(ModelError, match=rf"do not fit base_net:size=16: {said}") as raised:
            load_network(birds.load(tensors))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("architecture", ["resnet1", "timm:hf-hub:somebody/else", "../passwd", "base_net:size=x"])
def test_an_architecture_that_is_none_is_refused_before_anything_is_built(tensors: Path, architecture: str) -> None:
    values = {**json.loads(birds.load(tensors).manifest.to_json()), "architecture": architecture}
    save_file(load_file(tensors), tensors, metadata={"birds": json.dumps(values)})
    with pytest.raises(ModelError, match="cannot be opened by torch"):
        load_network(birds.load(tensors))
