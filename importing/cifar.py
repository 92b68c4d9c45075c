"""CIFAR-10 and CIFAR-100, the version for Python (pickles) or the binary one, unpacked.

The pickles are read by `unpickling.py`, which runs nothing of them. Both versions hold a row of 3,072 bytes a picture:
32x32 pixels of red, then of green, then of blue. https://www.cs.toronto.edu/~kriz/cifar.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .arrays import AT_A_TIME, Rows, as_pictures, checked_labels, of_rows
from .dataset import Dataset, as_labels
from .unpickling import unpickle

if TYPE_CHECKING:
    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

_PIXELS = 3072
_HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
_AGAIN = "Unpack the archive again; nothing was imported."


@dataclass(frozen=True)
class _Layout:
    """Where one version keeps things.

    Attributes
    ----------
    folder : the name it is unpacked as.
    names : the file of the classes' names, and the key of these in it where it is a pickle.
    files : file -> part.
    labels : the key of the labels in a pickle; how many bytes of label a picture has in the binary version, of which
        the last counts.
    """

    folder: str
    names: str
    names_key: str
    files: dict[str, str]
    labels: str | int


_TEN = {**{f"data_batch_{n}": "train" for n in range(1, 6)}, "test_batch": "test"}
_HUNDRED = {"train": "train", "test": "test"}
_LAYOUTS = {
    10: (
        _Layout("cifar-10-batches-py", "batches.meta", "label_names", _TEN, "labels"),
        _Layout(
            "cifar-10-batches-bin", "batches.meta.txt", "", {f"{name}.bin": part for name, part in _TEN.items()}, 1
        ),
    ),
    100: (
        _Layout("cifar-100-python", "meta", "fine_label_names", _HUNDRED, "fine_labels"),
        _Layout("cifar-100-binary", "fine_label_names.txt", "", {f"{n}.bin": part for n, part in _HUNDRED.items()}, 2),
    ),
}


def read_cifar10(source: Path) -> Dataset:
    """CIFAR-10 in the folder `source`, or in the one above it. Raises UsageError like `read_cifar100`."""
    return _read(source, 10)


def read_cifar100(source: Path) -> Dataset:
    """CIFAR-100 by its 100 fine labels, in the folder `source` or in the one above it.

    Raises
    ------
    UsageError : a file is missing, cut short, a pickle that asks for more than arrays, or of wrong shapes or labels.
    """
    return _read(source, 100)


def _read(source: Path, classes: int) -> Dataset:
    folder, layout = _find(source, classes)
    for name in (layout.names, *layout.files):
        if not (folder / name).is_file():
            raise UsageError(f"{folder} has no {name}.", _AGAIN)
    names = as_labels(_names(folder, layout), f"{layout.names}")
    if len(names) != classes:
        raise UsageError(f"{layout.names} has {len(names)} names, not {classes}.", _AGAIN)
    read = _pickled if isinstance(layout.labels, str) else _binary
    files = [read(folder / name, part, classes, layout) for name, part in layout.files.items()]
    return of_rows(names, files, page_url=_HOME)


def _find(source: Path, classes: int) -> tuple[Path, _Layout]:
    for layout in _LAYOUTS[classes]:
        for folder in (source, source / layout.folder):
            if (folder / layout.names).is_file() or (folder / next(iter(layout.files))).is_file():
                return folder, layout
    folders = " or ".join(layout.folder for layout in _LAYOUTS[classes])
    raise UsageError(
        f"{source} holds no CIFAR-{classes}.", f"Give {folders}, as the archive unpacks, or what it is in."
    )


def _names(folder: Path, layout: _Layout) -> list[str]:
    path = folder / layout.names
    if not layout.names_key:
        return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    names = _keys(unpickle(path), layout.names).get(layout.names_key)
    if not isinstance(names, list):
        raise UsageError(f"{layout.names} has no {layout.names_key}.", _AGAIN)
    return [text_of(name) for name in names]


def text_of(value: Any) -> str:
    """A text that Python 2 may have written, as bytes."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _keys(document: Any, where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise UsageError(f"{where} holds no dictionary.", _AGAIN)
    return {text_of(key): value for key, value in document.items()}


def _pickled(path: Path, part: str, classes: int, layout: _Layout) -> Rows:
    data, labels = _batch(path, str(layout.labels))
    del data
    return Rows(path.name, part, checked_labels(labels, classes, path.name), lambda: _turned(_batch(path, "")[0]))


def _batch(path: Path, labels_key: str) -> "tuple[Array, Array]":
    document = _keys(unpickle(path), path.name)
    data = document.get("data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != _PIXELS:
        shape = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else "none"
        raise UsageError(f"{path.name}: data is {shape}, not uint8 (n, {_PIXELS}).", _AGAIN)
    labels = document.get(labels_key, [])
    if labels_key and (not _is_numbers(labels) or len(labels) != len(data)):
        n = len(labels) if isinstance(labels, list | np.ndarray) else 0
        raise UsageError(f"{path.name} has {len(data)} pictures and {n} {labels_key}.", _AGAIN)
    return data, np.asarray(labels, np.int64)


def _is_numbers(labels: Any) -> bool:
    if isinstance(labels, np.ndarray):
        return labels.ndim == 1 and labels.dtype.kind in "iu"
    return isinstance(labels, list) and all(type(label) is int and abs(label) < 1 << 31 for label in labels)


def _turned(data: "Array") -> "Iterator[Array]":
    for start in range(0, len(data), AT_A_TIME):
        yield as_pictures(data[start : start + AT_A_TIME], "data")


def _binary(path: Path, part: str, classes: int, layout: _Layout) -> Rows:
    label_bytes = int(layout.labels)
    length = label_bytes + _PIXELS
    size = path.stat().st_size
    if not size or size % length:
        raise UsageError(f"{path.name} is cut short: {size} bytes are no whole rows of {length}.", _AGAIN)
    rows = np.memmap(path, np.uint8, "r").reshape(-1, length)
    labels = checked_labels(rows[:, label_bytes - 1].astype(np.int64), classes, path.name)
    return Rows(path.name, part, labels, lambda: _turned(_pixels_of(path, length, label_bytes)))


def _pixels_of(path: Path, length: int, label_bytes: int) -> "Array":
    return np.memmap(path, np.uint8, "r").reshape(-1, length)[:, label_bytes:]
