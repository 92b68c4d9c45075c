"""``--log``: a run followed in TensorBoard or Weights & Biases, by fastai's own callbacks.

Both packages are extras. What is logged lies in the run's folder; the phases of a run are one log, its steps going on.
The callbacks are told not to trace the network and not to log predictions: the head phase trains on features, which are
no pictures to show.
"""

import contextlib
import hashlib
import io
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..models.runs import Run

TENSORBOARD, WANDB = "tensorboard", "wandb"


def check_log(log: str | None) -> None:
    """Raise UsageError where there is no such log, or its package is not installed. For before anything is begun."""
    if log not in (None, TENSORBOARD, WANDB):
        raise UsageError(f"There is no log {log!r}.", f"Choose from {TENSORBOARD}, {WANDB}.")
    if log and find_spec(log) is None:
        raise UsageError(f"--log {log} needs a package that is not installed.", f'Run `pip install "birds[{log}]"`.')


def callbacks_for(log: str | None, run: Run) -> list[Any]:
    """The callback that logs `run` to `log`, ``tensorboard`` or ``wandb``; none for None. It serves both phases.

    Weights & Biases writes into the run's folder only, unless the user is logged in there or sets ``WANDB_MODE``.

    Raises
    ------
    UsageError : see `check_log`; or Weights & Biases cannot be reached.
    """
    check_log(log)
    if log is None:
        return []
    return [_tensorboard(run.folder / TENSORBOARD) if log == TENSORBOARD else _wandb(run)]


class _StepsGoOn:
    """Mixed into fastai's TensorBoardCallback, whose steps begin at 0 in each fit: they go on from the last epoch."""

    log_dir: Path

    def _setup_writer(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        first = _last_logged_step(self.log_dir)
        # what a killed epoch has logged beyond `first` is dropped
        self.writer = _Onward(SummaryWriter(log_dir=str(self.log_dir), purge_step=first + 1 if first else None), first)


class _Onward:
    """A SummaryWriter whose steps begin after `first`, and which writes one value a step."""

    def __init__(self, writer: Any, first: int) -> None:
        self.writer, self.first = writer, first
        self.close = writer.close
        self.written: dict[str, int] = {}

    def add_scalar(self, tag: str, value: Any, step: int) -> None:
        if self.written.get(tag) != step:  # fastai writes the last training batch's again at every validation batch
            self.written[tag] = step
            self.writer.add_scalar(tag, value, self.first + step)


def _tensorboard(folder: Path) -> Any:
    from fastai.callback.tensorboard import TensorBoardCallback

    class TensorBoardLog(_StepsGoOn, TensorBoardCallback):  # type: ignore[misc]  # exists where the extra does
        pass

    return TensorBoardLog(log_dir=folder, trace_model=False, log_preds=False)


def _last_logged_step(folder: Path) -> int:
    """The step of the last whole epoch in the log; 0 where there is none."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    if not folder.is_dir():
        return 0
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    is_there = "valid_loss" in events.Tags()["scalars"]
    return max((event.step for event in events.Scalars("valid_loss")), default=0) if is_there else 0


class _OurConfig:
    """Mixed into fastai's WandbCallback: the run's config.json is its config, and standard output is for results.

    What fastai would gather of the learner instead (``gather_args``) fails with fastcore 2.2 on values that have no
    ``__dict__``, and looks at a batch, which draws at random.
    """

    learn: Any

    def before_fit(self) -> None:
        self.learn.gather_args = dict
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                super().before_fit()  # type: ignore[misc]  # a mixin before a fastai callback
        finally:
            del self.learn.gather_args


def _wandb(run: Run) -> Any:
    import wandb
    from fastai.callback.wandb import WandbCallback

    class WandbLog(_OurConfig, WandbCallback):  # type: ignore[misc]  # exists where the extra does
        pass

    if wandb.run is not None:
        wandb.finish()  # of a run trained before this one in the same process
    try:
        is_offline = "WANDB_MODE" not in os.environ and not wandb.login(prompt=False)
        wandb.init(
            project="birds",
            name=run.name,
            id=hashlib.sha256(f"{run.name} {run.config['created_at']}".encode()).hexdigest()[:16],
            config=run.config,
            dir=str(run.folder),
            mode="offline" if is_offline else None,
            resume="allow",
            settings=wandb.Settings(silent=True, console="off"),
        )
    except wandb.Error as error:
        raise UsageError(
            f"Weights & Biases cannot be reached: {error}", "Set WANDB_MODE=offline, or leave --log out."
        ) from error
    return WandbLog(log_preds=False)
