"""Training in the precision and layout that `precision.choose` found, as a fastai callback.

fastai's own MixedPrecision, whose scaling of fp16 losses this keeps, knows CUDA only and judges in half precision too.
"""

from typing import Any

import torch

from .gate import fastai
from .precision import Choice


class Autocast(fastai.MixedPrecision):  # type: ignore[misc]  # fastai ships no types
    """Computes training batches in `choice`'s precision, and all batches in its layout; on a CPU too.

    Weights stay fp32, and so do losses. Validation is fp32 throughout: its figures are those of the exported model.
    Within a fit torch uses as many threads as the choice says.
    """

    def __init__(self, choice: Choice) -> None:
        super().__init__()
        self.choice = choice
        self.entered: Any = None

    def before_fit(self) -> None:
        self.learn.scaler = torch.amp.GradScaler("cuda", enabled=self.choice.precision == "fp16")
        self.scales: list[float] = []
        self.threads = torch.get_num_threads()
        torch.set_num_threads(self.choice.threads)
        self.learn.model.to(memory_format=self.choice.way.memory_format)
        if self.choice.compile:
            self.learn.model.compile()

    def before_batch(self) -> None:
        memory_format = self.choice.way.memory_format
        self.learn.xb = tuple(one.contiguous(memory_format=memory_format) if one.ndim == 4 else one for one in self.xb)
        if self.training:
            self.entered = self.choice.way.autocast(self.xb[0].device.type)
            self.entered.__enter__()

    def after_pred(self) -> None:
        super().after_pred()
        self._leave()

    def after_loss(self) -> None:
        """Nothing: left before the loss, which is computed in fp32."""

    def after_cancel_batch(self) -> None:
        self._leave()

    def after_fit(self) -> None:
        self._leave()
        self.learn.scaler = None
        self.learn.model.to(memory_format=torch.contiguous_format)
        torch.set_num_threads(self.threads)

    def _leave(self) -> None:
        if self.entered is not None:
            self.entered.__exit__(None, None, None)
            self.entered = None
