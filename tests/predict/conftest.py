"""Models small enough to be written by hand: what they must answer is plain to see."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from birds.files import sha256_of, write_bytes
from birds.models.engines import INPUT, OUTPUT
from birds.models.manifest import METADATA_KEY, NAME, Manifest, ModelClass, Preprocess
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIZE = 32
LABELS = ("rojo", "verde", "azul")
COLOURS = {"rojo": (230, 20, 20), "verde": (20, 230, 20), "azul": (20, 20, 230), "gris": (128, 128, 128)}
THRESHOLD = 0.6


def manifest(**changes: object) -> Manifest:
    values = {
        "classes": tuple(ModelClass(label) for label in LABELS),
        "preprocess": Preprocess("squish", SIZE),
        "architecture": "squeezenet1_1",
        "recipe": "default",
        "mirror": False,
        "temperature": 1.0,
        "abstain_threshold": THRESHOLD,
        **changes,
    }
    return Manifest(**values)  # type: ignore[arg-type]


def write_onnx(path: Path, description: str) -> None:
    """A graph whose logits are 10 times the mean red, green and blue of the left half: it knows left from right."""
    left = np.repeat([1.0, 0.0], SIZE // 2).astype(np.float32)[:, None]
    nodes = [
        helper.make_node("Cast", [INPUT], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "left"], ["halves"]),
        helper.make_node("ReduceMean", ["halves", "sides"], ["colours"], keepdims=0),
        helper.make_node("Div", ["colours", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], [OUTPUT], axis=1),
    ]
    constants = [
        numpy_helper.from_array(left, "left"),
        numpy_helper.from_array(np.array([1, 2]), "sides"),
        numpy_helper.from_array(np.array(25.5 / 2, np.float32), "scale"),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(LABELS)])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: description})
    onnx.save(model, path)


def picture(colour: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 40), COLOURS[colour]).save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a model.onnx that answers by colour."""
    return write_bundle(tmp_path_factory.mktemp("bundle"))


def write_bundle(folder: Path, **changes: object) -> Path:
    described = manifest(**changes)
    write_onnx(folder / "model.onnx", described.to_json())
    listed = manifest(**changes, files={"model.onnx": sha256_of(folder / "model.onnx")})
    (folder / NAME).write_text(listed.to_json(), encoding="utf-8")
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of pictures in folders, with two files that are none and some that are hidden."""
    root = tmp_path / "pictures"
    for name in ("rojo.png", "deep/verde.jpeg", "deep/er/azul", "deep/.hidden.png", ".away/rojo.png"):
        colour = Path(name).stem if Path(name).stem in COLOURS else "gris"
        write_bytes(root / name, picture(colour))
    write_bytes(root / "notes.txt", b"no picture")
    write_bytes(root / "deep" / "cut.png", picture("rojo")[:60])
    return root


@pytest.fixture(scope="session")
def draw() -> Callable[..., bytes]:
    """``draw("rojo")``: a picture of that colour, as PNG."""
    return picture


@pytest.fixture(scope="session")
def make_bundle() -> Callable[..., Path]:
    """``make_bundle(folder, mirror=True, ...)``: a bundle there, its manifest changed."""
    return write_bundle
