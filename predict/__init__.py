"""What an exported model says of pictures."""

from ..lazy import public

__all__ = ["PredictResult", "Prediction", "predict"]
__getattr__ = public(__name__, {"predict": "stage", "PredictResult": "stage", "Prediction": "stage"})
