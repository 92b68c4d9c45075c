"""Steps of a network in different precisions and layouts, timed: what `precision.choose` goes by.

They are taken by a copy, on noise, with every random state put back: a run is the same whether or not it measured.
"""

import contextlib
import copy
import math
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..errors import UsageError
from .gate import fastai

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TIE = 1.10  # a way that takes at most so many times the fastest's time wins by being simpler
BUDGET_S = 20.0  # spent on steps; a way that is under way when it is used up takes one more
_STEPS = 3  # after one that warms up; fewer where they would take more than a way's share of the budget
_HOPELESS = 3.0  # times the best warm-up: not tried further
_LOSING = 1.5  # times the best step: one was enough
_CPU_BATCH = 4  # pictures at most, so that ResNeXt-50 takes a second or two a step


class Way(NamedTuple):
    """One way to run a network: ``fp32``, ``bf16`` or ``fp16``, and a layout."""

    precision: str
    channels_last: bool

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device_type: str) -> torch.autocast:
        """A context in which forward passes are computed in this precision. Weights stay what they are."""
        return torch.autocast(device_type, DTYPES[self.precision], enabled=self.precision != "fp32")


PLAIN = Way("fp32", False)
_SIMPLEST_FIRST = [Way(precision, layout) for precision in DTYPES for layout in (False, True)]


def ways_on(device: torch.device, fixed: str | None) -> list[Way]:
    """What is worth trying, the likely winners first: the budget may end before the last.

    Raises
    ------
    UsageError : the precision `fixed` cannot be had on `device`.
    """
    possible = {"cpu": ["fp32", "bf16"], "cuda": ["fp32", "bf16", "fp16"]}.get(device.type, ["fp32"])
    if fixed and fixed not in possible:
        hint = f"Give --precision auto, or one of {', '.join(possible)}."
        raise UsageError(f"The precision {fixed} cannot be had on a device {device.type}.", hint)
    tried = [fixed] if fixed else _native_precisions(device)
    return [Way(tried[0], False), *(Way(one, True) for one in reversed(tried)), *(Way(one, False) for one in tried[1:])]


def _native_precisions(device: torch.device) -> list[str]:
    if device.type == "cuda":  # not verified: there was no GPU to run it on
        return ["fp32", "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"]
    return ["fp32", "bf16"] if device.type == "cpu" and _has_bf16() else ["fp32"]


def _has_bf16() -> bool:
    """Whether the processor multiplies bf16 itself. oneDNN says yes to AVX-512 alone, and emulates it slowly."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def measure(ways: Sequence[Way], step: Callable[[Way], float], budget_s: float = BUDGET_S) -> dict[Way, float]:
    """Median seconds of a step in each way, without its first; without the ways that were given up.

    Parameters
    ----------
    step : takes one step and says how many seconds it took; raises RuntimeError where a network cannot run that way.
    """
    found: dict[Way, float] = {}
    spent, best_first, failure = 0.0, math.inf, None
    for way in ways:
        if found and spent >= budget_s:
            break
        try:
            first = step(way)
        except RuntimeError as error:  # an operation that this precision lacks, too little memory
            failure = error
            continue
        spent += first
        if found and first > _HOPELESS * best_first:
            continue
        best_first = min(best_first, first)
        taken: list[float] = []
        while len(taken) < _STEPS and not (taken and first + sum(taken) >= budget_s / len(ways)):
            taken.append(step(way))
            if found and taken[-1] > _LOSING * min(found.values()):
                break
        spent += sum(taken)
        found[way] = statistics.median(taken)
    if failure and not found:
        raise failure
    return found


def pick(seconds: dict[Way, float]) -> Way:
    """The fastest way, or the simplest of those within `TIE` of it."""
    fastest = min(seconds.values())
    return next(way for way in _SIMPLEST_FIRST if seconds.get(way, math.inf) <= TIE * fastest)


class Trial:
    """A copy of a network that takes steps on noise: forward, cross-entropy, backward and optimizer, or forward alone.

    Attributes
    ----------
    n : pictures a step.
    """

    def __init__(
        self, model: nn.Module, shape: Sequence[int], classes: int, *, is_training: bool, device: torch.device
    ) -> None:
        self.n = shape[0] if device.type == "cuda" else min(shape[0], _CPU_BATCH)
        self.model = copy.deepcopy(model).to(device).train(is_training).requires_grad_(is_training)
        self.pictures = torch.randn(self.n, *shape[1:], device=device)
        self.labels = torch.arange(self.n, device=device) % max(classes, 1)
        self.is_training, self.device = is_training, device
        self.way: Way | None = None

    def step(self, way: Way) -> float:
        """Take one and say how many seconds it took."""
        if way != self.way:
            self._change_to(way)
        self._wait()
        started = time.perf_counter()
        with torch.set_grad_enabled(self.is_training):
            with way.autocast(self.device.type):
                outputs = self.model(self.pictures)
            if self.is_training:
                nn.functional.cross_entropy(outputs.float(), self.labels).backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                self.optimizer.zero_grad()
        self._wait()
        return time.perf_counter() - started

    def _change_to(self, way: Way) -> None:
        """Gradients and what the optimizer remembers have the layout of the weights, so both begin anew."""
        self.way = way
        self.model.to(memory_format=way.memory_format)  # type: ignore[call-overload]  # torch's stubs lack it
        self.pictures = self.pictures.contiguous(memory_format=way.memory_format)
        self.model.zero_grad()
        self.optimizer = fastai.Adam(list(self.model.parameters()), lr=1e-4)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Every random state is afterwards what it was."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
