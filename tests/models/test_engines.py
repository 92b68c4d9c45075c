"""Engines give the same probabilities, and say in one line what they lack or what is wrong with a file."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import birds
import numpy as np
import onnx
import onnxruntime
import pytest
from birds.errors import ModelError, UsageError
from birds.models.bundle import LoadedModel
from birds.models.engines import ENGINES
from birds.models.manifest import ModelClass

PREPARED = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


@pytest.fixture
def model(exported: Path) -> LoadedModel:
    return birds.load("one", project=exported)


@pytest.fixture
def graph(exported: Path, tmp_path: Path) -> Path:
    """A lone model.onnx, to be changed."""
    return Path(shutil.copy(exported / "runs" / "one" / "bundle" / "model.onnx", tmp_path / "model.onnx"))


def rewritten(path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    document = onnx.ModelProto.FromString(path.read_bytes())
    change(document)
    path.write_bytes(document.SerializeToString())
    return path


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("threads", [None, 1])
def test_all_give_the_same_probabilities(model: LoadedModel, name: str, threads: int | None) -> None:
    if name == "openvino":
        pytest.importorskip("openvino", reason="an extra")
    engine = model.engine(name, threads=threads)
    answer = engine.probabilities(PREPARED)
    assert engine.name == name
    assert (answer.shape, answer.dtype) == ((3, 2), np.float32)
    np.testing.assert_allclose(answer, model.engine("onnx").probabilities(PREPARED), atol=1e-5)
    np.testing.assert_allclose(engine.probabilities(PREPARED[1:2]), answer[1:2], atol=1e-5)
    np.testing.assert_allclose(engine.probabilities(PREPARED[:, ::-1]), engine.probabilities(PREPARED[:, ::-1].copy()))


def test_threads_of_torch_are_given_back(model: LoadedModel) -> None:
    import torch

    before = torch.get_num_threads()
    model.engine("torch", threads=before + 1).probabilities(PREPARED)
    assert torch.get_num_threads() == before


def test_what_is_missing_is_named_with_the_remedy(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no engine 'tensorrt'"):
        model.engine("tensorrt")
    without = replace(model, files={"safetensors": model.files["safetensors"]})
    assert without.engine().name == "torch"
    for name in ("onnx", "openvino"):
        with pytest.raises(ModelError, match=rf"no model\.onnx, which the {name} engine needs.*--engine torch"):
            without.engine(name)
    alone = replace(model, files={"onnx": model.files["onnx"]}, run=None)
    with pytest.raises(ModelError, match=r"no weights that torch can take.*onnx engine"):
        alone.engine("torch")
    monkeypatch.setattr("birds.models.engines.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r'needs its package.*pip install "birds\[openvino\]"'):
        model.engine("openvino")


def test_the_onnx_engine_needs_neither_torch_nor_fastai(model: LoadedModel, exported: Path) -> None:
    code = (
        "import sys, birds\n"
        "answer = birds.load(sys.argv[1]).predict(sys.argv[2])\n"
        "print(answer[0][0], sorted({'torch', 'fastai', 'pandas', 'matplotlib', 'onnx'} & sys.modules.keys()))"
    )
    picture = exported / "dataset" / "test" / "garza" / "000.jpg"
    command = [sys.executable, "-c", code, str(model.path), str(picture)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.split("\n")[0] == f"{model.predict(picture)[0][0]} []"


def test_a_graph_of_other_shapes_than_its_description_says_is_refused(graph: Path, model: LoadedModel) -> None:
    loaded = birds.load(graph)
    three = replace(model.manifest, classes=(*model.manifest.classes, ModelClass("third")))
    with pytest.raises(ModelError, match=r"does not take and give.*float \[N, 3\]") as raised:
        replace(loaded, manifest=three).engine("onnx")
    assert "\n" not in str(raised.value)
    larger = replace(model.manifest, preprocess=replace(model.manifest.preprocess, size=32))
    with pytest.raises(ModelError, match=r"uint8 \[N, 32, 32, 3\]"):
        replace(loaded, manifest=larger).engine("onnx")


def test_a_damaged_graph_is_refused_in_one_line(graph: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def break_a_node(document: onnx.ModelProto) -> None:
        document.graph.node[0].op_type = "NoSuchOperator"

    with pytest.raises(ModelError, match="cannot be opened by onnxruntime") as raised:
        birds.load(rewritten(graph, break_a_node)).engine()
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == "", "onnxruntime prints nothing beside it"


def test_a_graph_gets_no_file_that_it_asks_for(graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights may lie in other files by ONNX's rules: of a stranger's graph, any file of this machine."""
    secret = tmp_path / "secret"
    monkeypatch.chdir(tmp_path)

    def ask_for_it(document: onnx.ModelProto) -> None:
        weights = max(document.graph.initializer, key=lambda one: len(one.raw_data))
        secret.write_bytes(weights.raw_data)
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", secret.name), ("offset", "0"), ("length", str(secret.stat().st_size))):
            weights.external_data.add(key=key, value=value)

    onnxruntime.InferenceSession(rewritten(graph, ask_for_it))  # which would read it
    for name in ("onnx", "openvino"):
        with pytest.raises(ModelError, match="asks for other files of this machine"):
            birds.load(graph).engine(name)
