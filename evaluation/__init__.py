"""Stage 6: how good the exported model is, on pictures it never saw."""

from ..lazy import public

__all__ = ["EvaluateResult", "evaluate"]
__getattr__ = public(__name__, {"evaluate": "stage", "EvaluateResult": "stage"})
