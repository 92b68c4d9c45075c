"""What there is, in pictures and numbers, before one cleans or trains."""

from ..lazy import public

__all__ = ["ExploreResult", "explore"]
__getattr__ = public(__name__, {"explore": "stage", "ExploreResult": "stage"})
