"""The one gate through which torchvision and fastai are imported: ``from .gate import fastai, torchvision``.

fastai takes seconds to import, so it is not before somebody asks for it: a network is built without.

torch's CPU build beside a CUDA build of torchvision lacks torchvision's compiled operators, and then
``import torchvision`` fails with "operator torchvision::nms does not exist". Declaring their schemas before another
try mends it: nothing here calls them. Where the operators exist nothing is declared.
"""

import sys
from typing import TYPE_CHECKING, Any

import torch

_MISSING = "torchvision::nms"
_declared: torch.library.Library | None = None  # the declarations last as long as this object

try:
    import torchvision
except RuntimeError as _error:
    if _MISSING not in str(_error):
        raise
    for _name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[_name]  # the half-imported package
    _declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for _operator in ("nms", "qnms"):
        _declared.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    import torchvision

import torchvision.models  # noqa: E402 - after the mending

if TYPE_CHECKING:
    from fastai.vision import all as fastai

is_mended = _declared is not None
__all__ = ["fastai", "is_mended", "torchvision"]


def __getattr__(name: str) -> Any:
    if name != "fastai":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fastai.vision import all as module

    globals()[name] = module
    return module
