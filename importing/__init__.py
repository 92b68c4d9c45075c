"""Datasets that others made -> images/ and the record, divided as they came.

Stands above the stages: what came divided is handed to `split/`, which keeps it so.
"""

from ..lazy import public

__all__ = ["ImportResult", "import_dataset"]
__getattr__ = public(__name__, {"import_dataset": "stage", "ImportResult": "stage"})
