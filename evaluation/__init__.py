"""Stage 6: how good the exported model is, on pictures it never saw."""

from ..lazy import public

__all__ = ["ComparisonResult", "EvaluateResult", "compare_models", "evaluate"]
__getattr__ = public(
    __name__,
    {
        "evaluate": "stage",
        "compare_models": "stage",
        "EvaluateResult": "results",
        "ComparisonResult": "comparison",
    },
)
