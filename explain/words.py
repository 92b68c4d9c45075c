"""Figures in words and signs, for the page and the terminal."""

from .results import ExplainResult

_OF_PART = {
    "val": "Looked at are validation pictures: the epoch that was kept was chosen on them, so their figures are a "
    "little too good. How good the model is, birds evaluate says on the test set.",
    "test": "Looked at is the test set, as asked for by --part test. Whoever changes settings by what it shows can no "
    "longer trust its figures.",
    "train": "Looked at are the training pictures: their figures say what the network remembers, not how good it is.",
}


def about_part(result: ExplainResult) -> str:
    """What the figures of that part of the dataset are worth."""
    return _OF_PART[result.part]


def per_cent(value: float | None) -> str:
    """``87.5%``; a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def interval(value: tuple[float, float] | None) -> str:
    """``80.0% to 92.4%``."""
    return "too few pictures" if value is None else f"{value[0]:.1%} to {value[1]:.1%}"


def silhouette(value: float | None) -> str:
    """With its sign: ``+0.41``; a dash where there is none."""
    return "–" if value is None else f"{round(value, 2) + 0.0:+.2f}"  # no -0.00
