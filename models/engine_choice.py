"""Which engine is fastest for a model on this machine: found by trying, kept for the next time. Without torch.

Which one wins depends on the processor and on the network. What is kept is how long each takes to open and how many
pictures a second it judges, so that few pictures and many can have different ones.
"""

import contextlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .. import files
from ..errors import ModelError
from ..progress import SILENT, Progress
from .engines import open_engine

if TYPE_CHECKING:
    from .bundle import LoadedModel

_WORTH_IT = 64  # pictures; for fewer of them nothing is measured
_BATCH, _STEPS = 4, 3  # pictures a step, steps after one that warms up
_BUDGET_S = 4.0  # for the steps of an engine
_TORCH_OPENS_S = 5.0  # importing it takes so long where that was done already
_LONG_S = 60.0  # of work by the best of the others: then it is worth opening torch to know
_TIE = 1.05  # times the fastest's time: within it the simpler engine wins
_SIMPLEST_FIRST = ("onnx", "openvino", "torch")
_PACKAGES = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}


@dataclass(frozen=True)
class Speed:
    """How fast an engine is: seconds to open it, pictures a second from then on."""

    open_s: float
    images_per_second: float

    def seconds(self, pictures: int) -> float:
        """For so many pictures, the opening included."""
        return self.open_s + pictures / self.images_per_second


def available(model: "LoadedModel") -> list[str]:
    """The engines that can run `model` here, the simplest to open first."""
    can_open = {
        "onnx": "onnx" in model.files,
        "openvino": "onnx" in model.files and find_spec("openvino") is not None,
        "torch": "safetensors" in model.files or model.learner is not None or model.run is not None,
    }
    return [name for name in _SIMPLEST_FIRST if can_open[name]] or ["torch"]  # which says what is missing


def choose(model: "LoadedModel", pictures: int, *, store: Path | None = None, progress: Progress = SILENT) -> str:
    """The engine that answers `pictures` pictures soonest.

    One picture is always answered by the simplest, which is onnx where the model has that file. For others it is what
    was measured earlier on this machine; where nothing was, and they are many, the engines are tried now.

    Parameters
    ----------
    store : JSON file of earlier measurements; default `machine_store`.
    """
    names = available(model)
    if pictures <= 1 or len(names) == 1:
        return names[0]
    store = store or machine_store()
    key = _key(model, names)
    speeds = _read(store).get(key, {})
    if not speeds:
        if pictures < _WORTH_IT:
            return names[0]
        speeds = _measured(model, names, pictures, store=store, key=key, progress=progress)
    if not speeds:
        return names[0]  # which says why it cannot be opened
    chosen = _fastest(speeds, pictures)
    progress.note(f"Engine {chosen}: {_in_words(speeds)}.")
    return chosen


def measure(model: "LoadedModel", *, store: Path | None = None, progress: Progress = SILENT) -> dict[str, Speed]:
    """Try every engine that can run `model`, torch included, and keep what came out. For the end of an export."""
    names = available(model)
    if len(names) == 1:
        return {}
    return _measured(
        model, names, sys.maxsize, store=store or machine_store(), key=_key(model, names), progress=progress
    )


def machine_store() -> Path:
    """Where this machine's measurements are kept: ``birds/engines.json`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "birds" / "engines.json"


def _measured(
    model: "LoadedModel", names: Sequence[str], pictures: int, *, store: Path, key: str, progress: Progress
) -> dict[str, Speed]:
    progress.note("Trying the engines on this machine, which is remembered.")
    speeds: dict[str, Speed] = {}
    for name in names:
        had_torch = "torch" in sys.modules
        if name == "torch" and speeds and not had_torch and _least_seconds(speeds, pictures) < _LONG_S:
            continue
        try:
            speed = _speed_of(model, name)
        except ModelError as error:  # a package that is broken, say: the others may do
            progress.note(f"The engine {name} cannot be used: {error.message}")
            continue
        speeds[name] = (
            Speed(speed.open_s + _TORCH_OPENS_S, speed.images_per_second) if had_torch and name == "torch" else speed
        )
    with contextlib.suppress(OSError):  # measured again next time
        kept = {**_read(store), key: speeds}
        files.write_json(store, {one: {name: asdict(it) for name, it in them.items()} for one, them in kept.items()})
    return speeds


def _speed_of(model: "LoadedModel", name: str) -> Speed:
    """By some pictures of noise: what is on a picture makes no difference."""
    import numpy as np

    started = time.perf_counter()
    engine = open_engine(model, name)
    size = model.manifest.preprocess.size
    noise = np.random.default_rng(0).integers(0, 256, (_BATCH, size, size, 3), dtype=np.uint8)
    engine.probabilities(noise[:1])
    opened = time.perf_counter()
    engine.probabilities(noise)  # the first of a size is slower
    taken: list[float] = []
    while len(taken) < _STEPS and not (taken and sum(taken) > _BUDGET_S / 2):
        before = time.perf_counter()
        engine.probabilities(noise)
        taken.append(time.perf_counter() - before)
    return Speed(round(opened - started, 3), round(_BATCH / statistics.median(taken), 2))


def _least_seconds(speeds: Mapping[str, Speed], pictures: int) -> float:
    return min(speed.seconds(pictures) for speed in speeds.values())


def _fastest(speeds: Mapping[str, Speed], pictures: int) -> str:
    enough_s = _TIE * _least_seconds(speeds, pictures)
    return next(name for name in _SIMPLEST_FIRST if name in speeds and speeds[name].seconds(pictures) <= enough_s)


def _in_words(speeds: Mapping[str, Speed]) -> str:
    return ", ".join(f"{name} {speed.images_per_second:.1f} pictures/s" for name, speed in speeds.items())


def _key(model: "LoadedModel", names: Sequence[str]) -> str:
    """What the speeds depend on, as one line."""
    versions = []
    for name in names:
        try:
            versions.append(f"{name} {version(_PACKAGES[name])}")
        except PackageNotFoundError:
            versions.append(name)
    path = model.files["onnx"]  # there are two engines or more, so it is there
    digest = model.manifest.files.get(path.name) or files.sha256_of(path)
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return json.dumps([_processor(), os.cpu_count(), threads, versions, digest])


def _processor() -> str:
    """The processor's name, as far as it can be had."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _read(store: Path) -> dict[str, dict[str, Speed]]:
    """Earlier measurements. A damaged file is as good as none."""
    try:
        entries = json.loads(store.read_text(encoding="utf-8"))
        read = {
            key: {name: Speed(float(it["open_s"]), float(it["images_per_second"])) for name, it in them.items()}
            for key, them in entries.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}
    return {
        key: speeds
        for key, speeds in read.items()
        if speeds.keys() <= _PACKAGES.keys() and all(speed.images_per_second > 0 for speed in speeds.values())
    }
