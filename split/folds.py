"""Folds for cross-validation: train and val together divided into K, the test part held out as it is.

Pictures that belong together stay in one fold, and each fold has its share of every class.
"""

from collections.abc import Mapping

from ..errors import ProjectError
from .assignment import Ties, bundles, spread


def folds(labels: Mapping[int, str], ties: Ties, k: int, seed: int) -> dict[int, int]:
    """The fold, 1 to `k`, that each picture is validated in.

    Parameters
    ----------
    labels : picture of train or val -> label, in a fixed order.

    Raises
    ------
    ProjectError : a class has too few different pictures to have one in every fold.
    """
    together = bundles(labels, ties)
    placed = spread(together, labels, {str(fold): 1 / k for fold in range(1, k + 1)}, seed, {})
    found = {picture: int(placed[picture]) for picture in labels}
    filled = {(labels[picture], fold) for picture, fold in found.items()}
    for label in dict.fromkeys(labels.values()):
        if any((label, fold) not in filled for fold in range(1, k + 1)):
            n = sum(any(labels[picture] == label for picture in bundle) for bundle in together)
            raise ProjectError(
                f"{label!r} has {n} different pictures outside the test part, too few for one in each of {k} folds.",
                "Give a smaller --kfold, or scrape more of it.",
            )
    return found
