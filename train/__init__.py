"""Stage 4: dataset -> a trained learner."""

from ..lazy import public

__all__ = ["TrainResult", "train"]
__getattr__ = public(__name__, {"train": "stage", "TrainResult": "stage"})
