"""Networks as ONNX: every kind of pooling, mirror images, any number of pictures, and nothing of where it was made."""

from pathlib import Path

import numpy as np
import pytest
import torch
from birds.errors import ModelError
from birds.export.figures import torch_probabilities
from birds.export.onnx_graph import write_onnx
from birds.models.architectures import Classifier, make_head
from birds.models.engines import OnnxEngine
from birds.models.manifest import Manifest, ModelClass, Preprocess
from birds.models.padding import pad_as_tensorflow
from birds.models.pooling import ConcatPool, SecondOrderPool
from torch import nn

MEAN, STD = (0.1, 0.5, 0.9), (0.2, 0.3, 0.4)
PREPROCESS = Preprocess("squish", 16, mean=MEAN, std=STD)


def network_ending_in(pool: nn.Module, features: int, channels: int) -> Classifier:
    body = nn.Sequential(nn.Conv2d(3, channels, 3, stride=2, padding=1), nn.ReLU(), pool, nn.Flatten())
    network = Classifier(body, make_head(features, 3), mirror=True).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return network


@pytest.mark.parametrize("kind", ["mean and maximum", "second order", "padded as TensorFlow"])
def test_every_kind_of_network_gives_the_probabilities_it_gives_in_torch(kind: str, tmp_path: Path) -> None:
    if kind == "second order":
        pool = SecondOrderPool(64)
        network = network_ending_in(pool, pool.length, 64)
    else:
        network = network_ending_in(ConcatPool(), 16, 8)
    if kind == "padded as TensorFlow":
        assert pad_as_tensorflow(network) == 1
    write_onnx(network, PREPROCESS, tmp_path / "model.onnx", "{}")
    classes = tuple(ModelClass(label) for label in "abc")
    engine = OnnxEngine(tmp_path / "model.onnx", Manifest(classes, PREPROCESS, "-", "default", True, 1.0, 0.5))
    for count in (1, 5):
        prepared = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
        expected = torch_probabilities(network, prepared, PREPROCESS)
        np.testing.assert_allclose(engine.probabilities(prepared), expected, atol=1e-5)
        mirrored = engine.probabilities(np.ascontiguousarray(prepared[:, :, ::-1]))
        np.testing.assert_allclose(mirrored, expected, atol=1e-5, err_msg="a mirror image is judged alike")
        assert expected.std(axis=1).min() > 1e-3
    data = (tmp_path / "model.onnx").read_bytes()
    assert b"onnx_graph.py" not in data
    assert b"site-packages" not in data


def test_a_network_that_onnx_cannot_say_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unsayable(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return pictures.mean((2, 3)) if pictures.sum() > 0 else pictures.amax((2, 3))

    with pytest.raises(ModelError, match="cannot be written as ONNX") as raised:
        write_onnx(Classifier(Unsayable(), make_head(3, 2)).eval(), PREPROCESS, tmp_path / "model.onnx", "{}")
    assert "\n" not in str(raised.value)
    assert "--format fastai,safetensors" in str(raised.value)
    assert capsys.readouterr() == ("", "")
