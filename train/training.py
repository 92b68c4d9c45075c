"""One run under way: its phases from the last checkpoint on, its rows, its files, its result."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from .. import files
from ..errors import TrainError
from ..models.autocast import Autocast
from ..models.curves import draw_curves
from ..models.gate import fastai
from ..models.precision import Choice
from ..models.runs import Run
from ..models.verdict import verdict
from ..models.weights import NONE
from ..progress import Progress
from . import recipe_2024
from .averaging import DECAY, AverageWeights
from .calibration import temperature, validation_logits
from .callbacks import Epochs, FixedStatistics, FrozenBody, Row, SaveBest, TrainingLoss, load_weights, save
from .checkpoints import Checkpoint, last_checkpoint, remove_checkpoints, seed_phase
from .dataset import Dataset
from .finder import suggest_lr
from .head_features import FeatureSource, RandomViews, head_learner
from .losses import CROSS_ENTROPY
from .memory import FreedMemory
from .phases import HEAD, Phase, fit
from .pictures import decoded_once, picture_loaders

PARITY_TOLERANCE = 1e-4  # nats of validation loss, both in fp32
_NOTHING_TO_LEARN = 1e-4  # nats: a loss that low may stay as it is


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
    """One run under way: its phases, its rows, its files.

    Parameters
    ----------
    learner : of the whole network, on pictures.
    cache : folder of what may be computed again.
    loggers : fastai callbacks that follow the run elsewhere, see `logs.callbacks_for`.
    """

    def __init__(
        self, run: Run, learner: Any, dataset: Dataset, *, cache: Path, loggers: Sequence[Any], progress: Progress
    ) -> None:
        self.run, self.learner, self.dataset, self.cache = run, learner, dataset, cache
        self.progress, self.loggers = progress, loggers
        self.config = run.config
        self.choices = {use: Choice(**choice) for use, choice in self.config["choices"].items()}
        self.has_pictures = False
        self._head_logits: tuple[torch.Tensor, torch.Tensor] | None = None  # of the head phase's best, once judged
        self.phases = [Phase(**settings) for settings in self.config["phases"]]
        self.history: list[Row] = []
        self.timing: list[Row] = []

    def carry_through(self) -> TrainResult:
        """Every phase in turn, from the last checkpoint where there is one; then the result."""
        resume = last_checkpoint(self.run.checkpoints, self.progress.note)
        names = [phase.name for phase in self.phases]
        first = 0
        if resume:
            first = names.index(resume["phase"])
            self.history, self.timing = resume["rows"]
            where = f"epoch {resume['epoch']} of phase {resume['phase']}"
            self.progress.note(f"Going on with {self.run.name} after {where}.")
        for index in range(first, len(self.phases)):
            phase = self.phases[index]
            if not (resume and resume["is_over"]):
                if self._is_on_features(phase):
                    learner, best = head_learner(self._features), self._head_file
                else:
                    self._see_to_pictures()
                    learner, best = self.learner, self.run.weights_of(phase.name)
                seed_phase(self.config["seed"], index, learner)
                self._run_phase(phase, learner, best, resume)
            self._refuse_nothing_learnt(phase)
            self._complete(phase)
            resume = None
        return self._finish()

    def _is_on_features(self, phase: Phase) -> bool:
        return phase.name == HEAD and self.config["feature_cache"]

    @property
    def _head_file(self) -> Path:
        """The best weights of the head alone, while it trains on features."""
        return self.run.checkpoints / "head-only.pth"

    @cached_property
    def _features(self) -> FeatureSource:
        choice, cache = self.choices["features"], self.cache / "features"
        return FeatureSource(self.learner, self.dataset, self.config, choice, cache=cache, progress=self.progress)

    def _complete(self, phase: Phase) -> None:
        """Leave the whole network with the best weights of `phase` in its file and in the learner."""
        best = self.run.weights_of(phase.name)
        if best.is_file():
            load_weights(self.learner.model, best)
            return
        load_weights(self.learner.model.head, self._head_file)
        self._check_parity(min(float(row["valid_loss"]) for row in self.history if row["phase"] == HEAD))
        save(self.learner.model.state_dict(), best)
        self._head_file.unlink()

    def _see_to_pictures(self) -> None:
        """Large photographs are decoded once, not in every epoch; the learner reads the copies from now on."""
        if not self.has_pictures:
            dataset = decoded_once(self.dataset, self.config, self.cache, self.progress)
            self.learner.dls = picture_loaders(dataset, self.config, workers=self.choices["training"].workers)
            self.has_pictures = True

    def _check_parity(self, loss_on_features: float) -> None:
        """Phase 2 starts from exactly the network that phase 1 judged, or not at all."""
        self._head_logits = validation_logits(self.learner)
        loss = float(torch.nn.functional.cross_entropy(*self._head_logits))
        if not abs(loss - loss_on_features) <= PARITY_TOLERANCE:  # also true for NaN
            raise TrainError(
                f"The network's validation loss is {loss:.5f}, {loss_on_features:.5f} on cached features.",
                f"Remove {self.cache / 'features'}, or give --no-feature-cache.",
            )
        self.progress.note(f"Head on features and whole network agree: {abs(loss - loss_on_features):.1e} nats apart.")

    def _run_phase(self, phase: Phase, learner: Any, best: Path, resume: dict[str, Any] | None) -> None:
        done = resume["epoch"] if resume else 0
        if resume:
            phase = replace(phase, lr=resume["lr"])  # it may have been searched for
        elif self.config["lr_is_searched"]:
            callbacks = [Autocast(self.choices["training"])] if learner is self.learner else []
            callbacks += [] if self._loss == CROSS_ENTROPY else [self._training_loss(phase)]
            is_pretrained = self.config["weights"] != NONE
            lr = suggest_lr(
                learner, phase.name, is_pretrained=is_pretrained, callbacks=callbacks, progress=self.progress
            )
            phase = replace(phase, lr=lr)
            self.progress.note(f"Learning rate of phase {phase.name}: {phase.lr:.2g}, by fastai's finder.")
        batches = len(learner.dls.train) * (phase.epochs - done)
        with self.progress.bar(phase.name, batches) as bar:
            save = SaveBest(best)
            tell = Epochs(phase.name, done + 1, bar, self._tell, self._loss)
            if self.config["recipe"] == "2024":
                recipe_2024.fit(learner, phase, [*phase.trackers(), save, tell])
            else:
                keep = Checkpoint(self.run.checkpoints, phase, (self.history, self.timing), resume)
                callbacks = [*self._callbacks(phase, learner, done), save, tell, keep, fastai.TerminateOnNaNCallback()]
                fit(
                    learner,
                    phase,
                    done=done,
                    is_pretrained=self.config["weights"] != NONE,
                    callbacks=[*callbacks, *self.loggers],
                    schedule=self.config["schedule"],
                )

    def _callbacks(self, phase: Phase, learner: Any, done: int) -> list[Any]:
        """What the settings add to fastai's loop."""
        config = self.config
        found = [*phase.trackers(config["schedule"]), self._training_loss(phase), FreedMemory()]
        blend = None
        is_whole = learner is self.learner
        if is_whole:
            found.append(Autocast(self.choices["training"]))
            if config["weights"] != NONE:
                found.append(FrozenBody() if phase.name == HEAD else FixedStatistics())
        else:
            found.append(RandomViews(self._features, phase.epochs, done))
            if config.get("discriminant"):
                blend = self._features.discriminant(learner.dls.valid).blend_into
        if phase.mixup:
            found.append(fastai.MixUp(phase.mixup))
        if config["cutmix"] and is_whole and phase.name != HEAD:
            found.append(fastai.CutMix(config["cutmix"]))
        if config["averaging"] or blend:
            found.append(AverageWeights(DECAY if config["averaging"] else 0, blend))
        return found

    @property
    def _loss(self) -> str:
        return str(self.config.get("loss", CROSS_ENTROPY))  # runs of before there were others

    def _training_loss(self, phase: Phase) -> TrainingLoss:
        weights = torch.tensor(self.dataset.weights()) if self.config["class_weights"] else None
        return TrainingLoss(phase.label_smoothing, weights, self._loss)

    def _refuse_nothing_learnt(self, phase: Phase) -> None:
        losses = [float(row["valid_loss"]) for row in self.history if row["phase"] == phase.name]
        hint = "Try a lower --lr, or look for odd pictures."
        if not any(math.isfinite(loss) for loss in losses):
            raise TrainError(f"No epoch of phase {phase.name} ended with a finite loss.", hint)
        if len(losses) > 1 and len(set(losses)) == 1 and losses[0] > _NOTHING_TO_LEARN:
            hint = "Try a higher --lr, or look whether the pictures of all classes are the same."
            raise TrainError(f"The validation loss of phase {phase.name} never changed: {losses[0]:.4f}.", hint)

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
        more = {"best_phase": best["phase"], "temperature": 1.0, "calibrated_loss": best["valid_loss"]}
        if self.config["calibrate"]:
            load_weights(self.learner.model, self.run.weights_of(str(best["phase"])))
            known = self._head_logits if best["phase"] == HEAD else None
            logits, labels = known or validation_logits(self.learner)
            degree = more["temperature"] = temperature(logits, labels)
            calibrated = torch.nn.functional.cross_entropy(logits.double() / degree, labels)
            more["calibrated_loss"] = round(float(calibrated), 6)
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
        self.progress.note(verdict(self.history).in_words)
        files.write_json(self.run.folder / "result.json", {**asdict(result), **more})
        remove_checkpoints(self.run.checkpoints)
        return result


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_bytes(path, buffer.getvalue().encode())
