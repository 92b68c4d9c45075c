"""In what precision and layout a network runs fastest on this machine: found by trying, kept for the next time.

bf16 halves the memory that layers wait for, and channels-last spares oneDNN and cuDNN a reordering. Which of them pays
depends on the processor and on the network, so a few steps of each are timed (`trial`).
"""

import contextlib
import json
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import files, images
from ..progress import SILENT, Progress
from .trial import DTYPES, PLAIN, Trial, Way, measure, pick, undisturbed, ways_on

# Loading is worth a process where it takes this share of a step. On a CPU a process takes a core from the steps.
_WORTH_A_WORKER = {"cpu": 0.5, "cuda": 0.1}
_MOST_CPU_WORKERS = 2


@dataclass(frozen=True)
class Choice:
    """How a network runs on this machine.

    Attributes
    ----------
    precision : ``fp32``, ``bf16`` or ``fp16``, of forward passes. Weights are fp32 all the same.
    threads : of torch, within an operation.
    workers : processes that load pictures; 0 loads them in this one.
    images_per_second : measured, of training steps or of forward passes without loading.
    plain_images_per_second : the same in fp32, contiguous; None where that was not asked for.
    """

    precision: str = PLAIN.precision
    channels_last: bool = PLAIN.channels_last
    threads: int = 1
    workers: int = 0
    compile: bool = False
    images_per_second: float | None = None
    plain_images_per_second: float | None = None

    @property
    def way(self) -> Way:
        return Way(self.precision, self.channels_last)

    def __str__(self) -> str:
        parts = [self.precision, "channels-last" if self.channels_last else "contiguous"]
        parts.append("1 thread" if self.threads == 1 else f"{self.threads} threads")
        if self.workers:
            parts.append("1 loading process" if self.workers == 1 else f"{self.workers} loading processes")
        if self.compile:
            parts.append("compiled")
        text = ", ".join(parts)
        if self.images_per_second:
            text += f": {self.images_per_second:.1f} images/s"
            if self.plain_images_per_second and self.way != PLAIN:
                text += f" against {self.plain_images_per_second:.1f} in plain fp32"
        return text


def choose(
    model: nn.Module,
    *,
    picture_shape: Sequence[int],
    classes: int = 0,
    is_training: bool = True,
    device: torch.device | str = "cpu",
    fixed: str | None = None,
    workers: int | None = None,
    loader: Any = None,
    compile_network: bool = False,
    store: Path | None = None,
    progress: Progress = SILENT,
) -> Choice:
    """The fastest way to run `model` here, by a few steps of each on a copy; a tie goes to the simpler one.

    The model and all random states are afterwards what they were. Threads are torch's own number, or that of
    ``OMP_NUM_THREADS``.

    Parameters
    ----------
    picture_shape : [N, 3, height, width] of a batch.
    classes : outputs of the network, for training.
    is_training : whole training steps count, of all layers; else forward passes in eval mode.
    fixed : a precision; the layout is measured still. None tries all that the device computes natively.
    workers : None decides by what loading takes.
    loader : fastai DataLoader of the training pictures; None where nothing is to be loaded.
    compile_network : taken over as it is; what compiling brings is not measured.
    store : JSON file of earlier choices on this machine, looked up first and added to.

    Raises
    ------
    UsageError : `fixed` cannot be had on this device.
    """
    device = torch.device(device)
    ways = ways_on(device, fixed)
    asked = {"shape": list(picture_shape), "is_training": is_training, "workers": workers, "compile": compile_network}
    key = _key(model, device, ways, asked)
    if store and (kept := _read(store).get(key)):
        progress.note(f"{kept} (measured earlier)")
        return kept
    progress.note(f"Trying {' and '.join(dict.fromkeys(way.precision for way in ways))} on this machine.")
    with undisturbed():
        trial = Trial(model, picture_shape, classes, is_training=is_training, device=device)
        seconds = measure(ways, trial.step)
        best = pick(seconds)
        if workers is None:
            batch_s = seconds[best] * picture_shape[0] / trial.n
            workers = 0 if loader is None else _workers_for(_loading_seconds(loader), batch_s, device.type)
    choice = Choice(
        *best,
        threads=torch.get_num_threads(),
        workers=workers,
        compile=compile_network,
        images_per_second=round(trial.n / seconds[best], 2),
        plain_images_per_second=round(trial.n / seconds[PLAIN], 2) if PLAIN in seconds else None,
    )
    progress.note(str(choice))
    if store:
        with contextlib.suppress(OSError):  # measured again next time
            kept_all = {**_read(store), key: choice}
            files.write_json(store, {name: asdict(one) for name, one in kept_all.items()})
    return choice


def machine_store() -> Path:
    """Where this machine's choices are kept: ``birds/precision.json`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "birds" / "precision.json"


def _loading_seconds(loader: Any) -> float:
    """What a process would do of one batch: its items."""
    loader.before_iter()  # tells its transforms that they are in training
    taken = 0.0
    for _ in range(2):  # the second time the files are in memory, as they are from the second epoch on
        started = time.perf_counter()
        for index in range(min(loader.bs, len(loader.dataset))):
            loader.do_item(index)
        taken = time.perf_counter() - started
    return taken


def _workers_for(load_s: float, step_s: float, device_type: str) -> int:
    """Loading processes for batches that take so long to load and to compute."""
    cores = os.cpu_count() or 1
    if device_type not in _WORTH_A_WORKER or load_s < _WORTH_A_WORKER[device_type] * step_s:
        return 0
    most = cores if device_type == "cuda" else min(_MOST_CPU_WORKERS, cores - 1)
    return min(most, math.ceil(load_s / step_s))


def _key(model: nn.Module, device: torch.device, ways: Sequence[Way], asked: Mapping[str, object]) -> str:
    """What a choice depends on, as one line."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch has it from 2.13 on
    machine = str(capabilities.get("cpu_name") or platform.processor() or platform.machine())
    if device.type == "cuda":
        machine = torch.cuda.get_device_name(device)
    shapes = "".join(f"{name}{list(tensor.shape)}" for name, tensor in model.state_dict().items())
    network = f"{type(getattr(model, 'body', model)).__name__} {images.sha256(shapes.encode())[:12]}"
    return json.dumps([machine, torch.get_num_threads(), torch.__version__, network, ways, asked])


def _read(store: Path) -> dict[str, Choice]:
    """Earlier choices. A damaged file is as good as none."""
    try:
        entries = json.loads(store.read_text(encoding="utf-8"))
        return {key: Choice(**entry) for key, entry in entries.items() if entry["precision"] in DTYPES}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}
