"""Figures in words and signs, for a page that a teacher reads."""

from collections.abc import Mapping
from typing import Any

from .results import EvaluateResult, Figure

# name -> what it is called, what it means, whether it is a share
FIGURES: Mapping[str, tuple[str, str, bool]] = {
    "accuracy": ("Accuracy", "How many of all pictures it names rightly. Classes with more pictures count more.", True),
    "balanced_accuracy": (
        "Balanced accuracy",
        "The same, but every class counts alike: the mean of the shares recognised of each class.",
        True,
    ),
    "top_3_accuracy": ("Top-3 accuracy", "How often the right name is among its three best guesses.", True),
    "macro_f1": (
        "Macro F1",
        "Between 0 and 1: high only if it finds most pictures of every class and seldom cries wolf.",
        False,
    ),
    "loss": (
        "Loss",
        "Cross-entropy in nats: how much the right answer surprises it. Being sure and wrong costs most; 0 is perfect.",
        False,
    ),
    "ece": (
        "Calibration error (ECE)",
        "How far its confidence is from how often it is right, in the mean. 0: when it says 80%, it is right in 80%.",
        False,
    ),
}


def per_cent(value: float | None) -> str:
    """``87.5%``; a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def shown(name: str, value: float | None) -> str:
    """A value of the figure called `name`."""
    return per_cent(value) if FIGURES[name][2] else number(value)


def interval(name: str, figure: Figure) -> str:
    """``80.0% to 92.4%``; why there is none."""
    if figure.value is None:
        return "–"
    if figure.interval is None:
        return "too few pictures"
    low, high = figure.interval
    return f"{shown(name, low)} to {shown(name, high)}"


def share_interval(value: tuple[float, float] | None) -> str:
    return "too few" if value is None else f"{value[0]:.1%} to {value[1]:.1%}"


def reviewed(share: float | None) -> str:
    """What part of the pictures a person looked at."""
    return "unknown" if share is None else f"{share:.0%}"


def in_short(result: EvaluateResult) -> str:
    """The whole evaluation in two sentences."""
    right = round(result.accuracy * result.n)
    text = f"Shown {result.n:,} pictures, the model named {right:,} rightly: {result.accuracy:.1%}."
    if result.accuracy_interval:
        low, high = result.accuracy_interval
        return (
            f"{text} On other pictures of the same kind that share would most likely lie between {low:.1%} and "
            f"{high:.1%} (95% interval)."
        )
    return f"{text} That is too few pictures to say how far the share can be trusted."


def skipped_in_words(result: EvaluateResult) -> str:
    """How many pictures could not be judged, by reason."""
    reasons = ", ".join(f"{n:,} {reason.replace('_', ' ')}" for reason, n in result.skipped.items())
    return f"Not judged: {reasons}." if reasons else "Every picture could be judged."


def counted(values: Mapping[str, Any], most: int = 12) -> str:
    """``google 210, local 3``, the most frequent first."""
    items = sorted(values.items(), key=lambda item: -item[1])
    more = f", {len(items) - most} more" if len(items) > most else ""
    return ", ".join(f"{name} {n:,}" for name, n in items[:most]) + more if items else "unknown"
