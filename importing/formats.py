"""Formats of datasets by name; each reader is imported when it is asked for."""

from importlib import import_module
from pathlib import Path

from ..errors import UsageError
from .dataset import Dataset

_READERS = {
    "folder": ("folder", "read_folder"),
    "cub200": ("cub200", "read_cub200"),
    "mnist": ("idx", "read_mnist"),
    "cifar10": ("cifar", "read_cifar10"),
    "cifar100": ("cifar", "read_cifar100"),
    "pickle": ("pickled", "read_pickle"),
    "csv": ("csv_list", "read_csv"),
}
FORMATS = tuple(_READERS)


def read_dataset(source: Path, name: str) -> Dataset:
    """The dataset at `source`, its layout and sizes checked. Nothing is copied yet.

    Raises
    ------
    UsageError : there is no such format, or what lies there is not of it.
    """
    if name not in _READERS:
        raise UsageError(f"There is no format {name!r}.", f"Choose {', '.join(FORMATS)}.")
    if not source.exists():
        raise UsageError(f"There is no {source}.", "Give the folder or file of the dataset.")
    module, function = _READERS[name]
    dataset: Dataset = getattr(import_module(f".{module}", __package__), function)(source)
    return dataset
