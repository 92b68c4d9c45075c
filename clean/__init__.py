"""Stage 2: images -> images a person agrees with."""

from ..lazy import public

__all__ = ["CleanResult", "clean", "review"]
__getattr__ = public(__name__, {"clean": "stage", "CleanResult": "stage", "review": "server"})
