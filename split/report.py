"""What ``dataset/`` says about itself: every picture with its part, and the leaks that were looked for.

split.csv    part, label, file, group (the same number for what stays together), why it is left out, SHA-256
leaks.csv    each picture of test and val with the training picture nearest to it
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .. import files
from ..record import PictureFile, Record
from ..tables import as_csv
from . import leaks
from .plan import Plan


@dataclass(frozen=True)
class Neighbour:
    """The training picture nearest to a picture of test or val; `similarity` is 1 for the same one."""

    part: str
    file: PictureFile
    nearest: PictureFile
    similarity: float

    @property
    def is_leak(self) -> bool:
        return bool(self.similarity >= leaks.NEAR)


def neighbours(record: Record, plan: Plan) -> list[Neighbour]:
    """Of every readable picture of test and val, test first, nearest to train."""
    training, held = (
        [file for part in parts for file in plan.of(part) if file.content.unreadable is None]
        for parts in (("train",), ("test", "val"))
    )
    if not training or not held:
        return []
    grays = [record.looks.grays([file.picture for file in some]) for some in (held, training)]
    index, similarity = leaks.nearest(*grays)
    return [
        Neighbour(plan.parts[file.id], file, training[i], float(value))
        for file, i, value in zip(held, index, similarity, strict=True)
    ]


def write_tables(folder: Path, plan: Plan, found: Iterable[Neighbour]) -> None:
    """Write ``split.csv`` and ``leaks.csv`` into `folder`."""
    group_of = {id_: number for number, bundle in enumerate(plan.bundles(), start=1) for id_ in bundle}
    splits = (
        (plan.parts.get(f.id), f.label, f.name, group_of.get(f.id), plan.left_out.get(f.id), f.sha256)
        for f in plan.files.values()
    )
    files.write_bytes(
        folder / "split.csv", as_csv(("part", "label", "file", "group", "left_out", "sha256"), splits).encode()
    )
    nearest_first = sorted(found, key=lambda one: (one.part != "test", -one.similarity))
    pairs = (
        (n.part, _path(n.file), _path(n.nearest), f"{n.similarity:.3f}", "leak" if n.is_leak else "")
        for n in nearest_first
    )
    files.write_bytes(
        folder / "leaks.csv", as_csv(("part", "file", "nearest_in_train", "similarity", "verdict"), pairs).encode()
    )


def _path(file: PictureFile) -> str:
    return f"{file.label}/{file.name}"
