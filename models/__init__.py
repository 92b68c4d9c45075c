"""A library that knows no stage: architectures, weights, learners, runs, export, prediction, evaluation."""

from ..lazy import public

__all__ = ["EvaluateResult", "ExportResult", "PredictResult", "evaluate", "export", "predict"]
__getattr__ = public(
    __name__,
    {
        "export": "bundle",
        "ExportResult": "bundle",
        "evaluate": "evaluation",
        "EvaluateResult": "evaluation",
        "predict": "prediction",
        "PredictResult": "prediction",
    },
)
