"""What every format is read into: a list of what there is, and a way to get at the pictures. Lists cost no pictures.

From the list is chosen what is imported: classes, so many pictures of each, and which of train become validation.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import species
from ..errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    Picture = Path | np.ndarray  # a file, or pixels: uint8 [height, width] or [height, width, 3]

VAL_SHARE = 0.15  # of train, in a dataset that has a test part but none for validation
_PARTS = ("test", "val", "train")  # of exact copies the first stays: a test part is to be what others were judged on


@dataclass(frozen=True, slots=True)  # there may be 100,000 of it
class Item:
    """One picture of a dataset.

    Attributes
    ----------
    key : where it stands there, for a person: ``images/001.Albatross/a.jpg``, ``t10k-images-idx3-ubyte#17``.
    part : train, val or test; None where the dataset is not divided.
    number : its place in the whole dataset, from 0.
    """

    label: str
    key: str
    part: str | None
    number: int


@dataclass(frozen=True)
class Box:
    """Where the thing is in a picture, in pixels: left, top, width, height. As the dataset wrote it."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Dataset:
    """A dataset on disk whose layout was found to be whole.

    Attributes
    ----------
    classes : labels in the dataset's own order.
    items : everything, in the order in which `pictures` gives it.
    pictures : gives those asked for, in that order: a file each, or its pixels.
    boxes : by the key of an item; none in most.
    page_url : where the dataset is described.
    listed_in : the list that names the files, where one does: see `refuse_missing`.
    """

    classes: tuple[str, ...]
    items: Sequence[Item]
    pictures: "Callable[[Sequence[Item]], Iterator[tuple[Item, Picture]]]"
    boxes: Mapping[str, Box] = field(default_factory=dict)
    page_url: str | None = None
    listed_in: str | None = None

    def refuse_missing(self, items: Sequence[Item]) -> None:
        """Raise UsageError where a list of the dataset names files that are not there, of those asked for."""
        if not self.listed_in:
            return
        missing = [item.key for item, path in self.pictures(items) if isinstance(path, Path) and not path.is_file()]
        if missing:
            raise UsageError(
                f"{len(missing)} of {len(items)} pictures that {self.listed_in} names are missing, the first is "
                f"{missing[0]}.",
                "Bring them back, or take them out of the list; nothing was imported.",
            )


def of_files(
    classes: Sequence[str],
    rows: Iterable[tuple[str, str, str | None, Path]],
    *,
    boxes: Mapping[str, Box] | None = None,
    page_url: str | None = None,
    listed_in: str | None = None,
) -> Dataset:
    """A dataset whose pictures are files, from (label, key, part, path) of each."""
    ordered = sorted(rows, key=lambda row: rank(row[2]))
    items = [Item(label, key, part, number) for number, (label, key, part, _) in enumerate(ordered)]
    paths = [path for *_, path in ordered]

    def pictures(wanted: Sequence[Item]) -> "Iterator[tuple[Item, Picture]]":
        return ((item, paths[item.number]) for item in wanted)

    return Dataset(tuple(classes), items, pictures, boxes or {}, page_url, listed_in)


def rank(part: str | None) -> int:
    """Sorts the test part first, then val, then train."""
    return _PARTS.index(part) if part in _PARTS else len(_PARTS)


def as_labels(names: Iterable[str], where: str) -> list[str]:
    """The dataset's names of its classes as labels, one each.

    Raises
    ------
    UsageError : a name that no folder may have, or two that are one as a label.
    """
    labels: list[str] = []
    for name in names:
        try:
            label = species.clean_label(name)
        except UsageError as error:
            raise UsageError(f"{where}: {error.message}", "Rename the class there; nothing was imported.") from error
        if label in labels:
            raise UsageError(f"{where} has the class {label!r} twice.", "Rename one of the two.")
        labels.append(label)
    return labels


def chosen_classes(classes: Sequence[str], wanted: str | None) -> list[str]:
    """Those of `classes` that a person wants: the first so many (``20``), or those named (``loro,garza``).

    Raises
    ------
    UsageError : a name that is none of them, or no class at all.
    """
    if wanted is None:
        return list(classes)
    if wanted.strip().isdecimal():
        n = int(wanted)
        if not 1 <= n <= len(classes):
            raise UsageError(f"--classes is {n}, and the dataset has {len(classes)}.", "Ask for one or more of them.")
        return list(classes[:n])
    by_name = {species.fold(label): label for label in classes}
    names = [name for name in wanted.split(",") if name.strip()]
    found = [by_name.get(species.fold(name)) for name in names]
    for name, label in zip(names, found, strict=True):
        if label is None:
            shown = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
            raise UsageError(f"The dataset has no class {name.strip()!r}.", f"Its classes: {shown}")
    if not names:
        raise UsageError("--classes names none.", "Give how many, or names with commas between.")
    kept = set(found)
    return [label for label in classes if label in kept]


def choose(items: Iterable[Item], classes: Iterable[str], limit: int | None, seed: int) -> list[Item]:
    """What is to be imported, in the order given.

    Parameters
    ----------
    limit : pictures of each class in each part that the dataset came with; None for all.
    seed : decides which of train become validation, in a dataset that has a test part and none for that.
    """
    kept, taken, some = set(classes), Counter[tuple[str, str | None]](), []
    for item in items:
        if item.label in kept and (limit is None or taken[item.label, item.part] < limit):
            taken[item.label, item.part] += 1
            some.append(item)
    parts = {item.part for item in some}
    if parts <= {None, "train"}:
        return [replace(item, part=None) for item in some]  # train alone is no division
    if "test" not in parts or "val" in parts:
        return some
    return _with_validation(some, seed)


def _with_validation(items: Sequence[Item], seed: int) -> list[Item]:
    of_class: dict[str, list[int]] = defaultdict(list)
    for item in items:
        if item.part == "train":
            of_class[item.label].append(item.number)
    moved: set[int] = set()
    for label, numbers in of_class.items():
        n = max(1, round(VAL_SHARE * len(numbers))) if len(numbers) > 1 else 0
        moved |= set(random.Random(f"{seed} {label}").sample(numbers, n))
    return [replace(item, part="val") if item.number in moved else item for item in items]
