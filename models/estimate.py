"""How long a run will take, said before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One part of a run.

    Attributes
    ----------
    pictures : how many are worked through, in all epochs together.
    images_per_second : measured, see `precision.Choice`.
    is_limit : it may end earlier.
    """

    name: str
    pictures: float
    images_per_second: float
    is_limit: bool = False

    @property
    def seconds(self) -> float:
        return self.pictures / self.images_per_second


def estimate_seconds(parts: Sequence[Part]) -> float:
    """Seconds of all parts, those that may end earlier at full length."""
    return sum(part.seconds for part in parts)


def estimate(parts: Sequence[Part]) -> str:
    """In words: ``about 4 minutes: features 20 s, head 5 s, fine-tuning up to 200 s``."""
    listed = ", ".join(f"{part.name} {'up to ' * part.is_limit}{_rounded(part.seconds)} s" for part in parts)
    return f"about {_in_words(estimate_seconds(parts))}: {listed}"


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"{_rounded(seconds)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"


def _rounded(seconds: float) -> int:
    """To two digits: the estimate is no better than that."""
    return max(1, round(float(f"{seconds:.2g}")))
