"""What takes the steps: fastai's own Adam and SGD, by the names that everyone else uses.

fastai's ``Adam`` decays weights apart from the gradient, which is AdamW (Loshchilov & Hutter 2019); with a decay of 0
both are the same. Its betas are 0.9 and 0.99, its epsilon 1e-5. Biases and batch norm are not decayed.
"""

from functools import partial
from typing import Any

from ..models.gate import fastai

ADAMW, ADAM, SGD = "adamw", "adam", "sgd"
OPTIMIZERS = (ADAMW, ADAM, SGD)
MOMENTUM = 0.9


def make_optimizer(name: str, momentum: float) -> Any:
    """What a fastai Learner makes its optimizer by.

    Parameters
    ----------
    momentum : of SGD, where a step is the rate times a decaying sum of gradients (0 for none); the first beta of Adam.
    """
    if name == SGD:
        return partial(fastai.SGD, mom=momentum, decouple_wd=False)
    return partial(fastai.Adam, mom=momentum, decouple_wd=name == ADAMW)
