"""The course of the learning rate within a phase.

Both take up an interrupted phase where it was left: `done` epochs were trained before this fit.
"""

from ..models.gate import fastai

_START = 0.1  # share of the rate at the first batch
_RISE, _DIVISOR, _LAST_DIVISOR = 0.25, 25.0, 1e5  # fastai's fit_one_cycle
_MOMENTA = (0.95, 0.85, 0.95)


class WarmUp(fastai.Callback):  # type: ignore[misc]  # fastai ships no types
    """A rise to the full rate over the first epoch; afterwards whatever the rate is stays.

    Nothing is written to the optimizer once the full rate is reached, so that a plateau's reductions last.
    """

    order = 60  # fastai's ParamScheduler

    def __init__(self, done: int) -> None:
        self.is_over = done > 0

    def before_fit(self) -> None:
        self.full = [group["lr"] for group in self.opt.hypers]

    def before_batch(self) -> None:
        if self.is_over or not self.training:
            return
        self.is_over = self.iter == self.n_iter - 1
        share = _START + (1 - _START) * (self.iter + 1) / self.n_iter
        self.opt.set_hyper("lr", [rate * share for rate in self.full])


class OneCycle(fastai.ParamScheduler):  # type: ignore[misc]
    """fastai's one-cycle course (Smith 2018), rates and momentum, over all `epochs` of the phase."""

    def __init__(self, done: int, epochs: int) -> None:
        self.done, self.epochs = done, epochs

    def before_fit(self) -> None:
        rates = fastai.np.array([group["lr"] for group in self.opt.hypers])
        rise = fastai.combined_cos(_RISE, rates / _DIVISOR, rates, rates / _LAST_DIVISOR)
        self.scheds = {"lr": rise, "mom": fastai.combined_cos(_RISE, *_MOMENTA)}
        super().before_fit()

    def before_batch(self) -> None:
        self._update_val((self.done + self.epoch + self.iter / self.n_iter) / self.epochs)
