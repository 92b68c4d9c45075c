"""Stage 2: images -> images a person agrees with."""

from ..lazy import public

__all__ = ["CleanResult", "clean", "display_image_cleaner", "review"]
__getattr__ = public(
    __name__,
    {"clean": "stage", "CleanResult": "stage", "display_image_cleaner": "widget", "review": "notebook"},
)
