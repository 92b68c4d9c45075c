"""Public names of a package, imported when first used: ``birds --help`` must not wait for torch."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def public(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """A module-level ``__getattr__`` for `package` (PEP 562): `modules` maps each public name to its module."""

    def __getattr__(name: str) -> Any:  # noqa: N807 - it becomes the package's own
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{modules[name]}", package), name)

    return __getattr__
