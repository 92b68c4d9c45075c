"""Two models on the same pictures: McNemar's exact test, and what each gets right alone.

McNemar (1947); only pictures that one model gets right and the other wrong say which is better. Under the null
hypothesis each of these is as likely the one's as the other's, so p is binomial (no approximation by chi-squared).
"""

from dataclasses import dataclass, field
from math import exp, fsum, lgamma, log

import numpy as np

from .bootstrap import difference_interval


@dataclass(frozen=True)
class Side:
    """One of the two models."""

    model: str
    accuracy: float
    loss: float
    only_right: list[str]


@dataclass(frozen=True)
class ComparisonResult:
    """Figures on the ``n`` pictures that both models have a class for.

    Attributes
    ----------
    p : two-sided, of McNemar's exact test: how likely a split this uneven is if neither model is better.
    difference : accuracy of the first less that of the second, with its bootstrap interval over groups.
    """

    n: int
    first: Side
    second: Side
    both_right: int
    neither_right: int
    p: float
    difference: float
    difference_interval: tuple[float, float] | None
    data: str = ""
    warnings: list[str] = field(default_factory=list)
    csv: str | None = None

    @property
    def in_words(self) -> str:
        one, other = len(self.first.only_right), len(self.second.only_right)
        verdict = "differ by more than chance would make likely" if self.p < 0.05 else "may well be equally good"
        return (
            f"Of {self.n} pictures {self.first.model} alone gets {one} right, {self.second.model} alone {other} "
            f"(McNemar's exact p = {self.p:.3g}): they {verdict}."
        )


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided exact p: twice the binomial tail of the smaller of the two, at most 1."""
    n = only_first + only_second
    terms = (
        exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2))
        for k in range(min(only_first, only_second) + 1)
    )
    return min(1.0, 2 * fsum(terms))


def compared(
    files: list[str],
    first: tuple[str, np.ndarray, np.ndarray],
    second: tuple[str, np.ndarray, np.ndarray],
    groups: np.ndarray,
) -> ComparisonResult:
    """Compare two models.

    Parameters
    ----------
    files : the pictures, [N].
    first, second : name of the model, whether it is right, bool [N], and its losses, [N].
    groups : see `bootstrap.intervals`.
    """
    rights = first[1].astype(bool), second[1].astype(bool)
    sides = [
        Side(
            model=name,
            accuracy=float(right.mean()),
            loss=float(loss.mean()),
            only_right=[file for file, is_alone in zip(files, right & ~other, strict=True) if is_alone],
        )
        for (name, _, loss), right, other in zip((first, second), rights, rights[::-1], strict=True)
    ]
    return ComparisonResult(
        n=len(files),
        first=sides[0],
        second=sides[1],
        both_right=int((rights[0] & rights[1]).sum()),
        neither_right=int((~rights[0] & ~rights[1]).sum()),
        p=mcnemar_p(len(sides[0].only_right), len(sides[1].only_right)),
        difference=sides[0].accuracy - sides[1].accuracy,
        difference_interval=difference_interval(*rights, groups),
    )
