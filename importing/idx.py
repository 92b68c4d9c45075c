"""MNIST in its own format, IDX, plain or gzipped, as yann.lecun.com and torchvision lay it out.

A file begins with 0, 0, the type of its numbers (8: bytes) and how many dimensions there are, then their sizes, all big
endian. Fashion-MNIST, Kuzushiji-MNIST and their like come in files of the same names.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import UsageError
from .arrays import AT_A_TIME, Rows, checked_labels, of_rows
from .dataset import Dataset

if TYPE_CHECKING:
    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

_FILES = {"train": "train", "test": "t10k"}
_FOLDERS = ("", "raw", "MNIST/raw")  # torchvision keeps them in the last
_CLASSES = tuple("0123456789")
_BYTES = 8  # the code of their type
_READ = 1 << 20
_AGAIN = "Get the file again; nothing was imported."


def read_mnist(source: Path) -> Dataset:
    """MNIST in the folder `source`; labels are the digits.

    Raises
    ------
    UsageError : a file is missing, is no IDX, is cut short, or does not go with the other.
    """
    files = []
    for part, stem in _FILES.items():
        images, labels = _find(source, f"{stem}-images", 3), _find(source, f"{stem}-labels", 1)
        n, *_ = _shape(images, 3)
        answers = np.frombuffer(_content(labels, _shape(labels, 1)), np.uint8)
        if len(answers) != n:
            raise UsageError(f"{images.name} has {n} pictures, {labels.name} {len(answers)} labels.", _AGAIN)
        _content(images, _shape(images, 3), keep=False)
        checked = checked_labels(answers, len(_CLASSES), labels.name)
        files.append(Rows(images.name, part, checked, lambda path=images: _blocks(path)))  # type: ignore[misc]
    return of_rows(_CLASSES, files, page_url="http://yann.lecun.com/exdb/mnist/")


def _find(source: Path, stem: str, dimensions: int) -> Path:
    names = [f"{stem}{mark}idx{dimensions}-ubyte{end}" for end in ("", ".gz") for mark in ("-", ".")]
    for folder in _FOLDERS:
        for name in names:
            if (path := source / folder / name).is_file():
                return path
    raise UsageError(
        f"{source} has no {names[0]}, plain or .gz.", "Give the folder that holds the four files of MNIST."
    )


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _shape(path: Path, dimensions: int) -> tuple[int, ...]:
    """The sizes that the header gives. Raises UsageError where it is none of so many dimensions."""
    with _reading(path) as file:
        header = file.read(4 + 4 * dimensions)
    if header[:4] != bytes((0, 0, _BYTES, dimensions)):
        raise UsageError(
            f"{path.name} is no IDX file of bytes in {dimensions} dimensions: it begins with {header[:4].hex(' ')}.",
            "Expected 00 00 08 " + f"{dimensions:02x}.",
        )
    if len(header) < 4 + 4 * dimensions:
        raise UsageError(f"{path.name} is cut short.", _AGAIN)
    shape = tuple(int(size) for size in np.frombuffer(header[4:], ">u4"))
    if not all(shape):
        raise UsageError(f"{path.name} holds no pictures: its sizes are {shape}.", _AGAIN)
    return shape


class _reading:  # noqa: N801 - used as a function
    """Opens a file; what its bytes lead to is told in one line."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, _open(path)

    def __enter__(self) -> IO[bytes]:
        return self._file

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        self._file.close()
        if isinstance(error, EOFError):  # of gzip
            raise UsageError(f"{self._path.name} is cut short.", _AGAIN) from error
        if isinstance(error, gzip.BadGzipFile | OSError) or type(error).__module__ == "zlib":
            raise UsageError(f"{self._path.name} cannot be read: {error}.", _AGAIN) from error


def _content(path: Path, shape: tuple[int, ...], *, keep: bool = True) -> bytes:
    """Everything behind the header, or nothing with `keep` off. Raises UsageError unless its size fits `shape`."""
    wanted = int(np.prod(shape, dtype=object))
    parts, n = [], 0
    with _reading(path) as file:
        file.read(4 + 4 * len(shape))
        while n <= wanted and (some := file.read(min(_READ, wanted + 1 - n))):
            n += len(some)
            parts += [some] if keep else []
    if n != wanted:
        word = "cut short" if n < wanted else "longer than it says"
        raise UsageError(f"{path.name} is {word}: its header promises {wanted} bytes.", _AGAIN)
    return b"".join(parts)


def _blocks(path: Path) -> "Iterator[Array]":
    n, height, width = _shape(path, 3)
    with _reading(path) as file:
        file.read(16)
        for start in range(0, n, AT_A_TIME):
            rows = min(AT_A_TIME, n - start)
            yield np.frombuffer(file.read(rows * height * width), np.uint8).reshape(rows, height, width)
