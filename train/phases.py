"""The two phases: the head on a frozen body, then every layer from exactly there.

Each has its own EarlyStopping, ReduceLROnPlateau and best-model file. By default the rate is flat after a warm-up but
for the plateau's reductions; a one-cycle schedule would overwrite these at the next batch, so there are none then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from .callbacks import EarlyStopping, ReduceLROnPlateau
from .optimizers import ADAMW, SGD
from .schedules import OneCycle, WarmUp

HEAD, FINE_TUNE = "head", "fine_tune"
FLAT, ONE_CYCLE = "flat", "one-cycle"
SCHEDULES = (FLAT, ONE_CYCLE)
# Settings of the two phases by default; from scratch there is the second only.
PRETRAINED: dict[str, Sequence[float]] = {
    "epochs": (40, 10),
    "lr": (3e-4, 1e-4),
    "patience": (8, 3),
    "plateau_min_delta": (0.0, 0.0),
    "plateau_patience": (3, 1),
    "plateau_factor": (3.5, 7.5),
    "weight_decay": (0.01,),
    "label_smoothing": (0.0,),
    "mixup": (0.0,),
}
RECIPE_2024 = PRETRAINED | {
    "epochs": (10, 10),
    "patience": (3,),
    "plateau_min_delta": (0.10, 0.05),
    "plateau_patience": (1,),
}
FROM_SCRATCH = PRETRAINED | {"epochs": (10,), "lr": (1e-3,), "plateau_patience": (1,)}
_SGD_RATE = 10  # its usual rates are about so many times Adam's; a convention, not measured here
_LEAST = {"epochs": 1, "lr": 1e-9, "patience": 1, "plateau_patience": 1, "plateau_factor": 1}
_MOST = {"label_smoothing": 0.9}
_EXAMPLE = {"epochs": "10,5", "lr": "3e-3,3e-4", "patience": "3", "plateau_min_delta": "0.1", "plateau_factor": "3.5"}
BODY_RATE = 0.1  # of the head's learning rate, for the early half of the body; the late half lies between


@dataclass(frozen=True)
class Phase:
    """How one phase is to run.

    Attributes
    ----------
    epochs : at most so many.
    lr : learning rate of the head.
    patience : epochs without a lower validation loss before it stops.
    plateau_min_delta : nats by which the validation loss must fall to be no plateau.
    plateau_patience : epochs of plateau after which the learning rate is reduced.
    plateau_factor : it is divided by this.
    weight_decay : with AdamW decoupled (Loshchilov & Hutter 2019), a step's share of the learning rate; with Adam and
        SGD so many times the weights are added to the gradient.
    label_smoothing : probability spread evenly over all classes (Szegedy et al. 2016).
    mixup : parameter of the Beta distribution of the mixed share (Zhang et al. 2018); 0 for none.
    """

    name: str
    epochs: int
    lr: float
    patience: int
    plateau_min_delta: float
    plateau_factor: float
    plateau_patience: int = 1
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    mixup: float = 0.0

    def trackers(self, schedule: str = FLAT) -> list[Any]:
        """Early stopping, and the plateau where the schedule lets it work; each watches the validation loss."""
        stopping = EarlyStopping(monitor="valid_loss", patience=self.patience)
        if schedule == ONE_CYCLE:
            return [stopping]
        plateau = ReduceLROnPlateau(
            monitor="valid_loss",
            min_delta=self.plateau_min_delta,
            patience=self.plateau_patience,
            factor=self.plateau_factor,
        )
        return [stopping, plateau]


def fit(
    learner: Any, phase: Phase, *, done: int, is_pretrained: bool, callbacks: list[Any], schedule: str = FLAT
) -> None:
    """Run what is left of `phase` on `learner`, after `done` epochs."""
    if phase.name == HEAD:
        learner.freeze()
        rate: float | slice = phase.lr
    else:
        learner.unfreeze()
        rate = slice(phase.lr * BODY_RATE, phase.lr) if is_pretrained else phase.lr
    learner.create_opt()
    course = OneCycle(done, phase.epochs) if schedule == ONE_CYCLE else WarmUp(done)
    with learner.no_bar(), learner.no_logging():
        learner.fit(phase.epochs - done, lr=rate, wd=phase.weight_decay, cbs=[course, *callbacks])


def defaults_of(is_pretrained: bool, optimizer: str = ADAMW, recipe: str = "default") -> dict[str, Sequence[float]]:
    """What `make_phases` takes where nothing else is said."""
    if recipe == "2024":
        return RECIPE_2024
    defaults = PRETRAINED if is_pretrained else FROM_SCRATCH
    if optimizer != ADAMW:
        defaults = defaults | {"weight_decay": (0.0,)}
    if optimizer == SGD:
        defaults = defaults | {"lr": tuple(_SGD_RATE * rate for rate in defaults["lr"])}
    return defaults


def make_phases(is_pretrained: bool, **settings: Sequence[float]) -> list[Phase]:
    """The phases to run, from settings of one value for both or two: epochs, lr, patience, plateau_...

    From scratch there is no head phase, and the second of two values counts. A second phase of no epochs falls away.
    """
    for setting, values in settings.items():
        least, most = _LEAST.get(setting, 0), _MOST.get(setting, float("inf"))
        skips_fine_tuning = setting == "epochs" and is_pretrained and tuple(values[1:]) == (0,)
        checked = values[:1] if skips_fine_tuning else values
        if len(values) not in (1, 2) or min(checked) < least or max(checked) > most:
            flag = f"--{setting.replace('_', '-')}"
            bounds = f"at least {least:g}" + (f", at most {most:g}" if setting in _MOST else "")
            raise UsageError(
                f"{flag} is {','.join(map(str, values))}.",
                f"One value for both phases, or two, {bounds}; example: {flag} {_EXAMPLE.get(setting, '0.1')}",
            )
    phases = []
    for index, name in enumerate((HEAD, FINE_TUNE) if is_pretrained else (FINE_TUNE,)):
        position = index if is_pretrained else -1
        chosen = {setting: values[min(position, len(values) - 1)] for setting, values in settings.items()}
        phases.append(Phase(name, **chosen))  # type: ignore[arg-type]  # whole numbers where Phase asks for them
    return [phase for phase in phases if phase.epochs]
