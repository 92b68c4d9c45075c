"""Datasets whose pictures are rows of arrays (MNIST, CIFAR, a pickled dictionary): whatever their shape, pictures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .dataset import Dataset, Item, rank

if TYPE_CHECKING:
    Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

AT_A_TIME = 1000  # rows that are read together
_SHAPES = "[n, height, width], [n, height, width, 3], [n, 3, height, width] or [n, 3 x side x side]"


@dataclass(frozen=True)
class Rows:
    """Pictures in one file, or one array.

    Attributes
    ----------
    name : of the file, for the key of each.
    part : train, val or test; None where there is no division.
    labels : an index into the classes for each.
    blocks : reads them, uint8 [k, height, width] or [k, height, width, 3], some at a time.
    """

    name: str
    part: str | None
    labels: Sequence[int]
    blocks: "Callable[[], Iterable[Array]]"


def of_rows(classes: Sequence[str], files: Sequence[Rows], *, page_url: str | None = None) -> Dataset:
    """A dataset of `files`; those of the test part come first."""
    ordered = sorted(files, key=lambda rows: rank(rows.part))
    starts = [sum(len(rows.labels) for rows in ordered[:n]) for n in range(len(ordered))]
    items = [
        Item(classes[label], f"{rows.name}#{row}", rows.part, start + row)
        for rows, start in zip(ordered, starts, strict=True)
        for row, label in enumerate(rows.labels)
    ]

    def pictures(wanted: Sequence[Item]) -> "Iterator[tuple[Item, Path | Array]]":
        by_number = {item.number: item for item in wanted}
        for rows, start in zip(ordered, starts, strict=True):
            if not any(start + row in by_number for row in range(len(rows.labels))):
                continue
            number = start
            for block in rows.blocks():
                for picture in block:
                    if number in by_number:
                        yield by_number[number], picture
                    number += 1

    return Dataset(tuple(classes), items, pictures, page_url=page_url)


def checked_labels(labels: "Array", classes: int, where: str) -> list[int]:
    """`labels` as a list. Raises UsageError: one of them is none of 0 to `classes` - 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise UsageError(
            f"{where}: label {labels[wrong[0]]} of picture {wrong[0]} is none of 0 to {classes - 1}.",
            "The file is of another dataset, or damaged; nothing was imported.",
        )
    return [int(label) for label in labels]


def as_pictures(array: "Array", where: str, whole: "Array | None" = None) -> "Array":
    """`array` as uint8 [n, height, width] or [n, height, width, 3]; what is transparent goes on white.

    Numbers go from 0 to 255 or, where they may be fractions, from 0 to 1.

    Parameters
    ----------
    whole : what `array` is a part of, where it is one: which of the two it is, all of it decides.

    Raises
    ------
    UsageError : a shape or numbers that are no pictures.
    """
    shaped = _shaped(array)
    if shaped is None or not shaped.size:
        raise UsageError(f"{where}: arrays of shape {tuple(array.shape)} are no pictures.", f"It takes {_SHAPES}.")
    pixels = _as_bytes(shaped, where, array if whole is None else whole)
    if pixels.ndim == 4 and pixels.shape[-1] == 4:
        opacity = pixels[..., 3:].astype(np.uint16)
        flat: Array = ((pixels[..., :3] * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
        return flat
    return pixels[..., 0] if pixels.ndim == 4 and pixels.shape[-1] == 1 else pixels


def _shaped(array: "Array") -> "Array | None":
    """[n, height, width] or [n, height, width, channels]; None where it is neither, whichever way it is turned."""
    if array.ndim == 2:
        n, length = array.shape
        for channels in (1, 3):
            side = isqrt(length // channels)
            if side and channels * side * side == length:  # channel by channel, as CIFAR has it
                return array.reshape(n, channels, side, side).transpose(0, 2, 3, 1)
        return None
    if array.ndim == 4 and array.shape[-1] not in (1, 3, 4):
        return array.transpose(0, 2, 3, 1) if array.shape[1] in (1, 3, 4) else None
    return array if array.ndim in (3, 4) else None


def _as_bytes(array: "Array", where: str, whole: "Array") -> "Array":
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind in "iuf":
        low, high = whole.min(), whole.max()
        scale = 255 if high <= 1 and array.dtype.kind == "f" else 1
        if low >= 0 and high * scale <= 255:  # not a number is neither
            pixels: Array = np.rint(array * scale).astype(np.uint8)
            return pixels
    raise UsageError(
        f"{where}: the numbers of type {array.dtype} are no pixels.", "They go from 0 to 255, or from 0 to 1."
    )
