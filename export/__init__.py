"""Stage 5: a finished run -> a bundle that can be handed over."""

from ..lazy import public

__all__ = ["ExportResult", "export"]
__getattr__ = public(__name__, {"export": "stage", "ExportResult": "stage"})
