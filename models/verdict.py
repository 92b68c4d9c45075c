"""What a run's history says in words: still falling, stabilised, overfitting or underfitting, by stated rules.

The training loss is measured on augmented pictures, with dropout, before each step is taken; the validation loss is
not. So the first may lie above the second in a healthy run: only its course, and its lying far below, say anything.
Losses differ between two runs of the same settings by some per cent; less than the shares below says nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

History = Sequence[Mapping[str, Any]]  # rows of history.csv, figures as numbers or as text

STILL_FALLING, STABILISED, OVERFITTING = "still falling", "stabilised", "overfitting"
UNDERFITTING, UNSTABLE = "underfitting", "unstable"
TOO_FEW, NO_LOSS = "too few epochs", "no finite loss"

STILL_FALLS = 0.01  # of its value, in the last fifth of a phase
LEVEL = 0.02  # of the lowest validation loss: from within this above it, what is left to fall is no news
RISES = 0.05  # of the lowest validation loss, in the mean over the epochs after it
FALLS = 0.05  # of the training loss, over the same epochs
FAR_BELOW = 0.5  # training loss as a share of the validation loss
HIGH = math.log(2)  # nats: the right class gets less than half of the probability (geometric mean)
HIGH_ACCURACY = 0.7  # among very many classes a loss above `HIGH` may still be a good one
LEAST_EPOCHS = 3


@dataclass(frozen=True)
class Verdict:
    """What a history shows.

    Attributes
    ----------
    kind : ``still falling``, ``stabilised``, ``overfitting``, ``underfitting``, ``unstable``, ``too few epochs``,
        ``no finite loss``.
    phase : that is judged, of the best epoch; None without a finite loss.
    epoch : of that phase, from which it has stabilised, overfits or is unstable; None for the other kinds.
    in_words : one to three sentences that say what may help.
    """

    kind: str
    phase: str | None
    epoch: int | None
    in_words: str

    def __str__(self) -> str:
        return self.in_words


def verdict(history: History) -> Verdict:
    """Whether a run shows over- or underfitting, or would have gone on.

    Judged is the phase that the best epoch belongs to. The first rule that holds decides:

    1. No epoch with a finite loss: ``no finite loss``. Fewer than 3 epochs in the phase: ``too few epochs``.
    2. The last epoch has the lowest validation loss, more than 1% below the lowest before the last fifth of the phase:
       ``still falling``.
    3. Two or more epochs came after the lowest validation loss, in whose mean it lies more than 5% above that, while
       the training loss fell by more than 5% more: ``overfitting`` from the epoch after the lowest.
    4. At the best epoch both losses are above ln 2 and the accuracy is below 0.7: ``underfitting``.
    5. Validation loss rose as in 3, but the training loss did not fall on: ``unstable`` from the same epoch.
    6. Else it has ``stabilised``, at the first epoch whose validation loss is within 2% of the lowest. A training loss
       below half of the validation loss is told: the network knows its training pictures better than new ones.

    Where a later phase did not lower the validation loss, a sentence says so.
    """
    rows = finite(history)
    if not rows:
        return Verdict(NO_LOSS, None, None, "No epoch ended with a finite loss.")
    best = min(rows, key=_valid)
    found = _of_phase([row for row in rows if row["phase"] == best["phase"]])
    later = [row for row in rows if row["phase"] != best["phase"] and rows.index(row) > rows.index(best)]
    if not later:
        return found
    lowest = min(later, key=_valid)
    overfits = later[-1] is not lowest and _overfits(later, later.index(lowest))
    remedy = "it overfits, a lower --lr or fewer epochs for it may help" if overfits else "a lower --lr may help"
    text = (
        f"{found.in_words} Phase {lowest['phase']} did not lower the validation loss ({_valid(lowest):.3f} against "
        f"{_valid(best):.3f}): {remedy}."
    )
    return Verdict(found.kind, found.phase, found.epoch, text)


def best_of(history: History) -> Mapping[str, Any] | None:
    """The row of lowest validation loss; None where no loss is finite."""
    return min(finite(history), key=_valid, default=None)


def finite(history: History) -> list[Mapping[str, Any]]:
    """The rows whose losses are numbers."""
    return [row for row in history if math.isfinite(_valid(row)) and math.isfinite(_train(row))]


def _of_phase(rows: History) -> Verdict:
    phase = str(rows[0]["phase"])
    if len(rows) < LEAST_EPOCHS:
        return Verdict(TOO_FEW, phase, None, f"Phase {phase} has too few epochs to tell over- from underfitting.")
    index = min(range(len(rows)), key=lambda i: _valid(rows[i]))
    best = rows[index]
    if index == len(rows) - 1 and _still_falls(rows):
        text = f"Validation loss fell to the end of phase {phase}: more epochs may help."
        return Verdict(STILL_FALLING, phase, None, text)
    if _overfits(rows, index):
        start = int(rows[index + 1]["epoch"])
        text = (
            f"Overfitting from epoch {start} of phase {phase}: training loss kept falling while validation loss rose; "
            f"fewer epochs, more pictures or stronger augmentation help. The best epoch, {best['epoch']}, is what was "
            "kept."
        )
        return Verdict(OVERFITTING, phase, start, text)
    if min(_train(best), _valid(best)) > HIGH and float(best["valid_accuracy"]) < HIGH_ACCURACY:
        text = (
            f"Both losses stayed high (training {_train(best):.2f}, validation {_valid(best):.2f}): it underfits; a "
            "larger network, another --lr, or a look at the labels may help."
        )
        return Verdict(UNDERFITTING, phase, None, text)
    if _rises(rows, index):
        start = int(rows[index + 1]["epoch"])
        text = (
            f"Validation loss rose from epoch {start} of phase {phase} while training loss did not go on falling: that "
            f"is unstable rather than overfitting; a lower --lr may help. The best epoch, {best['epoch']}, is what was "
            "kept."
        )
        return Verdict(UNSTABLE, phase, start, text)
    level = int(next(row for row in rows if _valid(row) <= (1 + LEVEL) * _valid(best))["epoch"])
    text = (
        f"Validation loss stabilised at epoch {level} of phase {phase}: later ones lowered it by no more than "
        f"{LEVEL:.0%}. {_fit_in_words(best)}"
    )
    return Verdict(STABILISED, phase, level, text)


def _fit_in_words(best: Mapping[str, Any]) -> str:
    if _train(best) < FAR_BELOW * _valid(best):
        return (
            f"Training loss is far below validation loss ({_train(best):.3f} against {_valid(best):.3f}): it knows its "
            "training pictures better than new ones; more pictures or stronger augmentation help."
        )
    above = (
        " Training loss is the higher one since it is measured on augmented pictures, with dropout."
        if _train(best) > _valid(best)
        else ""
    )
    return f"Training and validation agree: neither over- nor underfitting shows.{above}"


def _overfits(rows: History, best: int) -> bool:
    """Whether, over two or more epochs after `best`, training loss went on falling and validation loss rose."""
    return _rises(rows, best) and _train(rows[-1]) < (1 - FALLS) * _train(rows[best])


def _rises(rows: History, best: int) -> bool:
    after = rows[best + 1 :]
    return len(after) > 1 and sum(map(_valid, after)) / len(after) > (1 + RISES) * _valid(rows[best])


def _still_falls(rows: History) -> bool:
    before = min(map(_valid, rows[: -max(1, len(rows) // 5)]))
    return _valid(rows[-1]) < (1 - STILL_FALLS) * before


def _train(row: Mapping[str, Any]) -> float:
    return float(row["train_loss"])


def _valid(row: Mapping[str, Any]) -> float:
    return float(row["valid_loss"])
