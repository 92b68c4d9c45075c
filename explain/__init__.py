"""The inside of a trained network in pictures: maps of its layers, mix-ups, classes, first filters, its course."""

from ..lazy import public

__all__ = ["ExplainResult", "explain"]
__getattr__ = public(__name__, {"ExplainResult": "results", "explain": "stage"})
