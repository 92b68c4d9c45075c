"""Stage 3: images -> train, val and test, without leaks."""

from ..lazy import public

__all__ = ["CheckResult", "SplitResult", "check", "split"]
__getattr__ = public(__name__, {"split": "stage", "SplitResult": "stage", "check": "foreign", "CheckResult": "foreign"})
