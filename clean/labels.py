"""Suspected labels: what a classifier that never saw a picture takes it for, and how badly its own label fits.

Logistic regression on the features of a frozen, pretrained body, cross-validated and ranked by `cleanlab` (Northcutt et
al. 2021, "Confident learning"). What comes of it is a queue: a person decides. ``benchmarks/suspected_labels.py`` has
the figures.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from ..progress import SILENT, Progress
from ..record import PictureFile
from ..record_review import Guess

if TYPE_CHECKING:
    import numpy as np

FOLDS = 5
DEFAULT_ARCH = "mobilenet_v2"
_REPEATS = 3  # cross-validations, each with other folds, whose probabilities are averaged
_LEAST = 1e-6  # a probability that is taken for no smaller


def suspect_labels(
    files: Sequence[PictureFile],
    paths: Sequence[Path],
    groups: Sequence[int],
    *,
    weights: str,
    arch: str | None,
    cache: Path,
    seed: int = 0,
    progress: Progress = SILENT,
) -> dict[int, Guess]:
    """A guess for every file that can be judged, by file id; what cannot be is said in a note.

    Parameters
    ----------
    paths : where each of `files` lies.
    groups : a number for each of `files`, the same for pictures of the same shot.
    weights : ``imagenet`` or a file, see `models.weights.load_pretrained`.
    arch : None is what the tensors of a weights file say, else `DEFAULT_ARCH`.
    cache : folder for features. A second call computes those of new pictures only.

    Raises
    ------
    WeightsError : the weights cannot be had, or do not fit the architecture.
    UsageError : there is no architecture `arch`.
    """
    import numpy as np

    from ..models.features import arch_of, features, load_body  # torch: not before it is needed
    from ..models.published import with_its_padding
    from ..models.weights import IMAGENET, NONE

    if weights == NONE:
        raise WeightsError("Without pretrained weights no label can be doubted.", "Give some with --weights FILE.")
    if arch is None and weights != IMAGENET:
        arch = arch_of(Path(weights))
    pictures = [(file.sha256, path) for file, path in zip(files, paths, strict=True)]
    arch = with_its_padding(arch or DEFAULT_ARCH, weights, paths, progress)
    body = load_body(arch, weights, progress)
    found = features(pictures, arch=arch, body=body, cache=cache, progress=progress)
    rows = np.arange(len(found))
    seen = found.gather(rows, 0) + found.gather(rows, 1)  # as good as their mean: the scale is of no account
    labels = [file.label for file in files]
    guesses = guess_labels(seen, labels, groups, seed=seed)
    if left_out := _left_out(seen, labels, guesses):
        progress.note(f"Not every label was checked: {left_out}.")
    return {file.id: guess for file, guess in zip(files, guesses, strict=True) if guess}


def guess_labels(
    features: "np.ndarray", labels: Sequence[str], groups: Sequence[int], *, seed: int = 0
) -> list[Guess | None]:
    """What each picture is taken for by a classifier that saw neither it nor a copy of it.

    Parameters
    ----------
    features : float [n, d]; rows that hold NaN are not judged.
    labels : n of them, as the pictures are labelled now.
    groups : n of them, equal for pictures of the same shot. They are in one fold: a copy under the same wrong label
        would vouch for it.
    seed : of the folds.

    Returns
    -------
    n guesses; None for pictures without features and those of a class with fewer than `FOLDS` groups: each fold needs
    one to test and others to learn from. All None where fewer than two classes are left.

    Notes
    -----
    Two logistic regressions, both cross-validated. The first is on the features. The second is on the first one's
    log-probabilities and learns how far those can be trusted: where griffon vultures are often taken for Egyptian ones,
    one more that is says little, while a stork among them is suspicious. ``label_quality`` is cleanlab's
    self-confidence, the probability of the label that the picture has. cleanlab also estimates how many labels are
    wrong: so many, those of the lowest quality, are suspected.
    """
    import numpy as np
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    guesses: list[Guess | None] = [None] * len(labels)
    judged = _judged(features, labels, groups)
    names = sorted({labels[i] for i in judged})
    if len(names) < 2:
        return guesses
    given = np.array([names.index(labels[i]) for i in judged])
    member = np.array(groups)[judged]
    first = np.log(np.maximum(_held_out(features[judged], given, member, seed), _LEAST))
    probabilities = _held_out(first - first.mean(axis=1, keepdims=True), given, member, seed)
    quality = get_label_quality_scores(given, probabilities, method="self_confidence")
    suspected = find_label_issues(given, probabilities, filter_by="low_self_confidence", n_jobs=1)
    for i, row, fit, is_suspected in zip(judged, probabilities, quality, suspected, strict=True):
        guesses[i] = Guess(names[row.argmax()], float(row.max()), float(fit), bool(is_suspected))
    return guesses


def _judged(features: "np.ndarray", labels: Sequence[str], groups: Sequence[int]) -> list[int]:
    """Rows with features, of classes with at least `FOLDS` groups of such rows."""
    import numpy as np

    readable = np.flatnonzero(~np.isnan(features).any(axis=1)).tolist()
    groups_of: dict[str, set[int]] = defaultdict(set)
    for i in readable:
        groups_of[labels[i]].add(groups[i])
    return [i for i in readable if len(groups_of[labels[i]]) >= FOLDS]


def _held_out(inputs: "np.ndarray", given: "np.ndarray", groups: "np.ndarray", seed: int) -> "np.ndarray":
    """Probability of each class for each row, [n, classes], by regressions on rows of other groups.

    Inputs are standardised, and scaled to a length near 1, whatever the dimension: so the penalty, scikit-learn's
    default, means the same for every architecture.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    spread = inputs.std(axis=0)
    inputs = (inputs - inputs.mean(axis=0)) / np.where(spread > 0, spread, 1) / inputs.shape[1] ** 0.5
    probabilities = np.zeros((len(given), given.max() + 1))
    for repeat in range(_REPEATS):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed * _REPEATS + repeat)
        for others, held_out in folds.split(inputs, given, groups):
            model = LogisticRegression(max_iter=1000, tol=1e-3).fit(inputs[others], given[others])
            probabilities[np.ix_(held_out, model.classes_)] += model.predict_proba(inputs[held_out]) / _REPEATS
    return probabilities


def _left_out(features: "np.ndarray", labels: Sequence[str], guesses: Sequence[Guess | None]) -> str:
    """Which pictures have no guess and why, in words; empty where all have one."""
    import numpy as np

    if not any(guesses):
        return f"no two classes have {FOLDS} different pictures each"
    unreadable = int(np.isnan(features).any(axis=1).sum())
    small = sorted(set(labels) - {label for label, guess in zip(labels, guesses, strict=True) if guess})
    said = [f"{unreadable} of the pictures cannot be read"] if unreadable else []
    if small:
        said.append(f"fewer than {FOLDS} different pictures in {', '.join(small)}")
    return "; ".join(said)
