"""One run under way: its phases from the last checkpoint on, its rows, its files, its result."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from .. import files
from ..errors import TrainError
from ..models.gate import fastai
from ..models.runs import Run
from ..models.weights import NONE
from ..progress import Progress
from . import recipe_2024
from .callbacks import Checkpoint, Epochs, FrozenBody, Row, SaveBest, load_weights, restore_random_states
from .curves import draw_curves
from .phases import FINE_TUNE, HEAD, Phase, fit


@dataclass(frozen=True)
class TrainResult:
    """``run`` is its name under runs/; the figures are those of the epoch with the lowest validation loss.

    ``best_epoch`` counts within its phase, from 1. Loss is cross-entropy in nats. ``images_per_second`` is that of
    training, validation included.
    """

    run: str
    best_epoch: int
    valid_loss: float
    valid_accuracy: float
    seconds: float
    images_per_second: float


class Training:
    """One run under way: its phases, its rows, its files."""

    def __init__(self, run: Run, learner: Any, config: dict[str, Any], progress: Progress) -> None:
        self.run, self.learner, self.config, self.progress = run, learner, config, progress
        self.phases = [Phase(**settings) for settings in config["phases"]]
        self.history: list[Row] = []
        self.timing: list[Row] = []

    def carry_through(self) -> TrainResult:
        """Every phase in turn, from the last checkpoint where there is one; then the result."""
        resume = self._last_checkpoint()
        names = [phase.name for phase in self.phases]
        first = names.index(resume["phase"]) if resume else 0
        for phase in self.phases[first:]:
            if phase.name == FINE_TUNE and HEAD in names and not resume:
                self._start_from_best_head()
            self._run_phase(phase, resume)
            resume = None
        return self._finish()

    def _last_checkpoint(self) -> dict[str, Any] | None:
        path = self.run.checkpoints / "last.pt"
        if not path.is_file():
            return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)  # our own file
        self.history, self.timing = state["rows"]
        self.progress.note(f"Going on with {self.run.name} after epoch {state['epoch']} of phase {state['phase']}.")
        return state

    def _run_phase(self, phase: Phase, resume: dict[str, Any] | None) -> None:
        done = resume["epoch"] if resume else 0
        batches = len(self.learner.dls.train) * (phase.epochs - done)
        with self.progress.bar(phase.name, batches) as bar:
            tell = Epochs(phase.name, done + 1, bar, self._tell)
            save = SaveBest(self.run.weights_of(phase.name))
            if self.config["recipe"] == "2024":
                recipe_2024.fit(self.learner, phase, [*phase.trackers(), save, tell])
            elif done < phase.epochs:
                keep = Checkpoint(self.run.checkpoints / "last.pt", phase.name, (self.history, self.timing), resume)
                callbacks = [*phase.trackers(), save, tell, keep, fastai.TerminateOnNaNCallback()]
                callbacks += [FrozenBody()] if phase.name == HEAD else []
                is_pretrained = self.config["weights"] != NONE
                fit(self.learner, phase, done=done, is_pretrained=is_pretrained, callbacks=callbacks)
            elif resume:  # killed between two phases
                restore_random_states(resume["random"], self.learner)
        if not any(row["phase"] == phase.name and math.isfinite(float(row["valid_loss"])) for row in self.history):
            raise TrainError(
                f"No epoch of phase {phase.name} ended with a finite loss.",
                "Try a lower --lr, or look for odd pictures.",
            )

    def _start_from_best_head(self) -> None:
        load_weights(self.learner.model, self.run.weights_of(HEAD))

    def _tell(self, row: Row, timing: Row) -> None:
        self.history.append(row)
        self.timing.append(timing)
        _write_csv(self.run.folder / "history.csv", self.history)
        _write_csv(self.run.folder / "timing.csv", self.timing)
        self.progress.note(
            f"{row['phase']:>9} {row['epoch']:>3}  train loss {row['train_loss']:.4f}  "
            f"valid loss {row['valid_loss']:.4f}  accuracy {row['valid_accuracy']:.3f}  "
            f"lr {row['lr']:.1e}  {timing['seconds']:.1f} s"
        )

    def _finish(self) -> TrainResult:
        best = min(
            (row for row in self.history if math.isfinite(float(row["valid_loss"]))),
            key=lambda row: float(row["valid_loss"]),
        )
        seconds = sum(float(row["seconds"]) for row in self.timing)
        pictures = sum(float(row["seconds"]) * float(row["images_per_second"]) for row in self.timing)
        result = TrainResult(
            run=self.run.name,
            best_epoch=int(best["epoch"]),
            valid_loss=float(best["valid_loss"]),
            valid_accuracy=float(best["valid_accuracy"]),
            seconds=round(seconds, 1),
            images_per_second=round(pictures / seconds, 1),
        )
        draw_curves(self.history, self.run.folder / "curves.png")
        files.write_json(self.run.folder / "result.json", {**asdict(result), "best_phase": best["phase"]})
        (self.run.checkpoints / "last.pt").unlink(missing_ok=True)
        return result


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_bytes(path, buffer.getvalue().encode())
