"""A linear support vector machine on the features of a frozen body: what transfer learning began with.

Razavian et al. (2014), "CNN Features off-the-shelf: an Astounding Baseline for Recognition".
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

CHOICES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)  # of C, how much errors weigh against the width of the margin
_MOST_ITERATIONS = 10_000


@dataclass(frozen=True)
class LinearSVM:
    """A fitted machine.

    Attributes
    ----------
    c : the chosen C.
    has_converged : whether the solver came to its end.
    """

    c: float
    has_converged: bool
    pipeline: Any

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Class indices [N] of features [N, d]."""
        found: np.ndarray = self.pipeline.predict(features)
        return found


def fit(
    train: tuple[np.ndarray, Sequence[int]], valid: tuple[np.ndarray, Sequence[int]], *, seed: int = 0
) -> LinearSVM:
    """Fit one for every C on `train`; the one that gets most of `valid` right, of equals that of the smallest C.

    They grow until all of `train` is right.
    Features are standardised by the mean and deviation of `train`. Several classes are told apart one against the rest.

    Parameters
    ----------
    train, valid : features float [N, d], class indices [N].
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    best, most = None, -1
    for c in CHOICES:
        machine = LinearSVC(C=c, dual="auto", max_iter=_MOST_ITERATIONS, random_state=seed)
        pipeline = make_pipeline(StandardScaler(), machine)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(*train)
        right = int((pipeline.predict(valid[0]) == np.asarray(valid[1])).sum())
        if right > most:
            best, most = LinearSVM(c, bool(np.max(machine.n_iter_) < _MOST_ITERATIONS), pipeline), right
        if pipeline.score(*train) == 1:  # a larger C would change little, and take much longer
            break
    assert best is not None
    return best
