"""What runs an exported network: onnxruntime, torch or OpenVINO, all in fp32 and with the same probabilities.

The ONNX file scales, normalises and ends in probabilities by itself, so two of the three need neither torch nor fastai.
"""

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import ModelError, UsageError
from .descriptions import refuse_other_files
from .manifest import Manifest

if TYPE_CHECKING:
    from .bundle import LoadedModel

ENGINES = ("torch", "onnx", "openvino")
INPUT, OUTPUT = "pictures", "probabilities"  # names in the ONNX graph
_HINT = "Export the model again with `birds export`, or get the file anew."


class Engine(Protocol):
    """Anything that judges prepared pictures."""

    name: str

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        """Uint8 [N, size, size, 3] of `images.prepare`, N >= 1, to float32 [N, classes]."""
        ...


def open_engine(model: "LoadedModel", name: str, *, threads: int | None = None) -> Engine:
    """The engine called `name` for `model`.

    Parameters
    ----------
    threads : to compute with; default what the engine chooses by itself.

    Raises
    ------
    UsageError : there is no such engine.
    ModelError : the file it needs, or its package, is missing, or the file is damaged.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}.", f"Choose from {', '.join(ENGINES)}.")
    if name == "torch":
        return TorchEngine(model, threads)
    if "onnx" not in model.files:
        raise ModelError(
            f"{model.path} has no model.onnx, which the {name} engine needs.", "Use --engine torch, or export it again."
        )
    kind = OnnxEngine if name == "onnx" else OpenVinoEngine
    return kind(model.files["onnx"], model.manifest, threads)


class OnnxEngine:
    """onnxruntime, on the CPU."""

    name = "onnx"

    def __init__(self, path: Path, manifest: Manifest, threads: int | None = None) -> None:
        # since 1.29 it tells Microsoft of each model that is opened, and keeps an id of this machine in ~/.cache
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        refuse_other_files(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what is wrong is raised as well
        options.intra_op_num_threads = threads or 0
        # threads that spin while they wait take the processor from those that decode pictures: 36 ms of it a picture
        # against 49, MobileNetV2 on 2 cores
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own are not in its public names
            raise ModelError(f"{path} cannot be opened by onnxruntime: {_first_line(error)}.", _HINT) from error
        inputs, outputs = (
            {one.name: (one.type, one.shape) for one in some}
            for some in (self._session.get_inputs(), self._session.get_outputs())
        )
        _check_shapes(path, manifest, inputs, outputs, ("tensor(uint8)", "tensor(float)"))

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        answer: np.ndarray = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(prepared)})[0]
        return answer


class TorchEngine:
    """torch, on the CPU, pictures as channels-last."""

    name = "torch"

    def __init__(self, model: "LoadedModel", threads: int | None = None) -> None:
        import torch

        from .network import load_network

        self._threads = threads
        self._preprocess = model.manifest.preprocess
        self._network = load_network(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        import torch

        from .network import normalised

        with torch.inference_mode(), _torch_threads(self._threads):
            pictures = normalised(prepared, self._preprocess).contiguous(memory_format=torch.channels_last)
            answer: np.ndarray = self._network(pictures).softmax(dim=1).numpy()
        return answer


class OpenVinoEngine:
    """Intel's OpenVINO, on the CPU; it reads the ONNX file. In fp32: on some processors it would choose bf16."""

    name = "openvino"

    def __init__(self, path: Path, manifest: Manifest, threads: int | None = None) -> None:
        refuse_other_files(path)
        if not find_spec("openvino"):
            raise ModelError("The openvino engine needs its package.", 'Install it with: pip install "birds[openvino]"')
        import openvino

        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            self._compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        except Exception as error:  # RuntimeError, and what its plugins raise
            raise ModelError(f"{path} cannot be opened by openvino: {_first_line(error)}.", _HINT) from error
        inputs, outputs = (
            {one.any_name: (one.element_type.get_type_name(), _sides(one.partial_shape)) for one in some}
            for some in (self._compiled.inputs, self._compiled.outputs)
        )
        _check_shapes(path, manifest, inputs, outputs, ("u8", "f32"))

    def probabilities(self, prepared: np.ndarray) -> np.ndarray:
        answer: np.ndarray = self._compiled({INPUT: np.ascontiguousarray(prepared)})[OUTPUT]
        return answer


_Shapes = dict[str, tuple[str, list[Any]]]  # name -> type and sides, the first of which is free


def _check_shapes(path: Path, manifest: Manifest, inputs: _Shapes, outputs: _Shapes, types: tuple[str, str]) -> None:
    """Raise ModelError where the graph takes or gives something else than its manifest says."""
    size, classes = manifest.preprocess.size, len(manifest.classes)
    takes, gives = (
        {name: (kind, sides[1:]) for name, (kind, sides) in some.items() if not isinstance(sides[0], int)}
        for some in (inputs, outputs)
    )
    if takes != {INPUT: (types[0], [size, size, 3])} or gives != {OUTPUT: (types[1], [classes])}:
        raise ModelError(
            f"{path} does not take and give what its description says, uint8 [N, {size}, {size}, 3] and float "
            f"[N, {classes}], but {inputs} and {outputs}.",
            _HINT,
        )


def _sides(shape: Any) -> list[int | str]:
    return [side.get_length() if side.is_static else str(side) for side in shape]


def _first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")


@contextlib.contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
