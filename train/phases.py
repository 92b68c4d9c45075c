"""The two phases: the head on a frozen body, then every layer from exactly there.

Each has its own EarlyStopping, ReduceLROnPlateau and best-model file. The rate is flat but for the plateau's
reductions: under a one-cycle schedule these would be overwritten at the next batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from .callbacks import EarlyStopping, ReduceLROnPlateau

HEAD, FINE_TUNE = "head", "fine_tune"
_LEAST = {"epochs": 1, "lr": 1e-9, "patience": 1, "plateau_min_delta": 0, "plateau_factor": 1}
_EXAMPLE = {"epochs": "10,5", "lr": "3e-3,3e-4", "patience": "3", "plateau_min_delta": "0.1", "plateau_factor": "3.5"}
BODY_RATE = 0.1  # of the head's learning rate, for the early half of the body; the late half lies between


@dataclass(frozen=True)
class Phase:
    """How one phase is to run.

    Attributes
    ----------
    patience : epochs without a lower validation loss before it stops.
    plateau_min_delta : nats by which the validation loss must fall to be no plateau.
    plateau_factor : the learning rate is divided by it after an epoch of plateau.
    """

    name: str
    epochs: int
    lr: float
    patience: int
    plateau_min_delta: float
    plateau_factor: float

    def trackers(self) -> list[Any]:
        """Early stopping and plateau, each watching the validation loss."""
        return [
            EarlyStopping(monitor="valid_loss", patience=self.patience),
            ReduceLROnPlateau(monitor="valid_loss", min_delta=self.plateau_min_delta, factor=self.plateau_factor),
        ]


def fit(learner: Any, phase: Phase, *, done: int, is_pretrained: bool, callbacks: list[Any]) -> None:
    """Run what is left of `phase` on `learner`, after `done` epochs."""
    if phase.name == HEAD:
        learner.freeze()
        rate: float | slice = phase.lr
    else:
        learner.unfreeze()
        rate = slice(phase.lr * BODY_RATE, phase.lr) if is_pretrained else phase.lr
    learner.create_opt()
    with learner.no_bar(), learner.no_logging():
        learner.fit(phase.epochs - done, lr=rate, cbs=callbacks)


def make_phases(is_pretrained: bool, **settings: Sequence[float]) -> list[Phase]:
    """The phases to run, from settings of one value for both or two: epochs, lr, patience, plateau_...

    From scratch there is no head phase, and the second of two values counts.
    """
    for setting, values in settings.items():
        if len(values) not in (1, 2) or min(values) < _LEAST[setting]:
            flag = f"--{setting.replace('_', '-')}"
            raise UsageError(
                f"{flag} is {','.join(map(str, values))}.",
                f"One value for both phases, or two, at least {_LEAST[setting]:g}; example: {flag} {_EXAMPLE[setting]}",
            )
    phases = []
    for index, name in enumerate((HEAD, FINE_TUNE) if is_pretrained else (FINE_TUNE,)):
        position = index if is_pretrained else -1
        chosen = {setting: values[min(position, len(values) - 1)] for setting, values in settings.items()}
        phases.append(Phase(name, **chosen))  # type: ignore[arg-type]  # whole numbers where Phase asks for them
    return phases
