"""Leaks in a dataset that any tool made: train, val and test folders with a folder for each class. Only reads.

Copies and near-duplicates that stand in two parts, and pictures that stand under two labels. They are found as for a
split of our own, by hashes; see `duplicates.py`.
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .. import duplicates
from ..errors import ImageError, UsageError
from ..fingerprints import GRAY_SIDE, HASHES, Fingerprint, fingerprint
from ..images import HASHED_SIDE, decode, sha256
from ..progress import SILENT, Progress
from ..reasons import Reason

_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class Leak:
    """Two pictures, by their paths in the folder, that are copies (``exact_copy``) or show one shot.

    ``parts`` and ``labels`` name both sides where they differ, and the one where they do not.
    """

    kind: Reason
    first: str
    second: str
    parts: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class CheckResult:
    """What `check` found.

    Attributes
    ----------
    parts : part -> pictures read.
    skipped : reason -> files that could not be read.
    exact, near : pairs of identical, and of nearly identical, pictures in two parts.
    leaking : part -> its pictures that stand in train too, nearly or exactly.
    label_conflicts : pairs under two labels, wherever.
    pairs : all of these.
    """

    folder: str
    parts: dict[str, int]
    skipped: dict[str, int]
    exact: int
    near: int
    leaking: dict[str, int]
    label_conflicts: int
    pairs: list[Leak]


@dataclass(frozen=True)
class _Picture:
    path: str
    part: str
    label: str
    sha256: str
    fingerprint: Fingerprint


def check(folder: Path, progress: Progress = SILENT) -> CheckResult:
    """Read every picture of the dataset `folder` and report leaks. Nothing is written there.

    Raises
    ------
    UsageError : there are no two parts to compare.
    """
    parts = _parts(Path(folder))
    paths = [
        (part, path)
        for part, of in parts.items()
        for path in sorted(of.rglob("*"))
        if path.is_file() and not any(name.startswith(".") for name in path.relative_to(folder).parts)
    ]
    pictures: list[_Picture] = []
    skipped: Counter[str] = Counter()
    with progress.bar("reading pictures", len(paths)) as bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        for (part, path), read in zip(paths, pool.map(_read, (path for _, path in paths)), strict=True):
            bar.advance()
            if isinstance(read, Reason):
                skipped[read] += 1
            else:
                label = parent[0] if (parent := path.relative_to(parts[part]).parts[:-1]) else ""
                pictures.append(_Picture(path.relative_to(folder).as_posix(), part, label, *read))
    pairs = [leak for a, b in (*_copies(pictures), *_near(pictures)) if (leak := _leak(a, b))]
    part_of = {picture.path: picture.part for picture in pictures}
    in_train = {
        one
        for leak in pairs
        for one, other in ((leak.first, leak.second), (leak.second, leak.first))
        if part_of[other] == "train" != part_of[one]
    }
    return CheckResult(
        folder=str(folder),
        parts={part: sum(picture.part == part for picture in pictures) for part in parts},
        skipped=dict(skipped),
        exact=sum(leak.kind is Reason.EXACT_COPY and len(leak.parts) > 1 for leak in pairs),
        near=sum(leak.kind is Reason.NEAR_DUPLICATE and len(leak.parts) > 1 for leak in pairs),
        leaking={part: sum(part_of[path] == part for path in in_train) for part in parts if part != "train"},
        label_conflicts=sum(len(leak.labels) > 1 for leak in pairs),
        pairs=pairs,
    )


def part_called(name: str) -> str | None:
    """The part that people call `name`: val for ``Validation``, None for what is no part."""
    return next((part for part, names in _NAMES.items() if name.casefold() in names), None)


def _parts(folder: Path) -> dict[str, Path]:
    """Part -> its folder, in the order of `_NAMES`."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.", "Give the folder that holds train, val and test.")
    found: dict[str, Path] = {}
    for part, names in _NAMES.items():
        named = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.casefold() in names)
        if len(named) > 1:
            raise UsageError(f"{folder} holds both {named[0].name} and {named[1].name}.", "Keep one of the two.")
        if named:
            found[part] = named[0]
    if len(found) < 2:
        expected = ", ".join(name for names in _NAMES.values() for name in names)
        held = f"only {next(iter(found.values())).name}" if found else "none"
        raise UsageError(
            f"{folder} is no divided dataset: of the folders {expected} it holds {held}.",
            "Give the folder above them; pictures that are not divided yet are checked by `birds clean`.",
        )
    return found


def _read(path: Path) -> tuple[str, Fingerprint] | Reason:
    """Hash and fingerprint of a file, or why it cannot be read."""
    try:
        data = path.read_bytes()
        return sha256(data), fingerprint(decode(data, least_side=HASHED_SIDE).image)
    except OSError:
        return Reason.UNREADABLE
    except ImageError as error:
        return error.reason


def _copies(pictures: list[_Picture]) -> list[tuple[_Picture, _Picture]]:
    """Identical files, each with the first of its kind: one of train, where there is one."""
    found: dict[str, list[_Picture]] = {}
    for picture in pictures:
        found.setdefault(picture.sha256, []).append(picture)
    return [(same[0], other) for same in found.values() for other in same[1:]]


def _near(pictures: list[_Picture]) -> list[tuple[_Picture, _Picture]]:
    """Pairs of files that are not identical and show one shot."""
    import numpy as np

    prints = [picture.fingerprint for picture in pictures]
    hashes = np.frombuffer(b"".join(one.hashes for one in prints), "<u8").reshape(-1, HASHES)
    grays = np.frombuffer(b"".join(one.gray for one in prints), np.uint8).reshape(-1, GRAY_SIDE, GRAY_SIDE)
    pairs = (
        (pictures[p.first], pictures[p.second]) for p in duplicates.near_pairs(hashes, lambda wanted: grays[wanted])
    )
    return [(a, b) for a, b in pairs if a.sha256 != b.sha256]


def _leak(a: _Picture, b: _Picture) -> Leak | None:
    """What is wrong with the two being alike; None where they are of one part and one label."""
    parts, labels = tuple(dict.fromkeys((a.part, b.part))), tuple(dict.fromkeys((a.label, b.label)))
    if len(parts) == len(labels) == 1:
        return None
    kind = Reason.EXACT_COPY if a.sha256 == b.sha256 else Reason.NEAR_DUPLICATE
    return Leak(kind, a.path, b.path, parts, labels)
