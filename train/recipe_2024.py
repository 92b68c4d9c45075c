"""The original notebook's recipe: one-cycle for the head, then ``fine_tune``, each at fastai's own learning rates.

Its callbacks are the notebook's too, with what is wrong with them: see `WARNING`. The network is `models.learner`'s.
"""

from typing import Any

from .phases import HEAD, Phase

WARNING = (
    "Recipe 2024: its ReduceLROnPlateau has no effect, since the one-cycle schedule sets the learning rate again at "
    "every batch, and fine_tune hands the same callbacks to its two parts. The default recipe mends both."
)


def fit(learner: Any, phase: Phase, callbacks: list[Any]) -> None:
    """``fit_one_cycle`` for the head phase, ``fine_tune`` for the other."""
    with learner.no_bar(), learner.no_logging():
        if phase.name == HEAD:
            learner.fit_one_cycle(phase.epochs, cbs=callbacks)
        else:
            learner.fine_tune(phase.epochs, cbs=callbacks)
