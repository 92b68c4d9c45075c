"""Which test pictures show the same shot: as each other, and as a picture that the model has learnt from.

Copies are told by their SHA-256, near copies as everywhere in birds (`duplicates.py`). What `birds split` keeps
together for other reasons, as pictures of one observation, counts as one group as well.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..duplicates import Pair, groups, near_pairs
from ..files import Project, sha256_of
from ..images import read_plain
from ..looks import look_at
from ..models.held_out import labelled
from ..progress import Progress
from ..record import Record
from .judging import Judged
from .results import Overlap

EXACT_AND_NEAR, EXACT = "exact and near copies", "exact copies"
_LEARNT_FROM = ("train", "val")
_MOST_LOOKED_AT = 2000  # training pictures that no record knows and that are decoded for this


@dataclass(frozen=True)
class Training:
    """Pictures that the model has learnt from, or was chosen by; of `looked_at` rows the fingerprints are known.

    Attributes
    ----------
    files : SHA-256 of a file -> its name.
    names, hashes, grays : of those whose fingerprints are known.
    """

    files: dict[str, str]
    names: list[str]
    hashes: np.ndarray
    grays: np.ndarray


def training_pictures(project: Project, progress: Progress) -> Training:
    """What lies in ``dataset/train`` and ``dataset/val``, with fingerprints from the record where it has them."""
    digests = _digests(project)
    names: list[str] = []
    hashes: list[np.ndarray] = []
    grays: list[np.ndarray] = []
    known: set[str] = set()
    if project.record.is_file():
        with Record(project) as record:
            files = {file.sha256: file for file in record.files() if file.sha256 in digests}
            ids, all_hashes = record.looks.hashes()
            row_of = {int(picture): row for row, picture in enumerate(ids)}
            found = [file for file in files.values() if file.picture in row_of]
            if found:
                names += [digests[file.sha256] for file in found]
                hashes.append(all_hashes[[row_of[file.picture] for file in found]])
                grays.append(record.looks.grays([file.picture for file in found]))
                known = {file.sha256 for file in found}
    unknown = [name for digest, name in digests.items() if digest not in known]
    if unknown and len(unknown) <= _MOST_LOOKED_AT:
        with progress.bar("looking at training pictures", len(unknown)) as bar:
            for name in unknown:
                bar.advance()
                _, looks = look_at(read_plain(project.dataset / name))
                if looks is not None:
                    names.append(name)
                    hashes.append(np.frombuffer(looks.fingerprint.hashes, "<u8")[None])
                    gray = np.frombuffer(looks.fingerprint.gray, np.uint8)
                    grays.append(gray.reshape(1, round(len(gray) ** 0.5), -1))
    if not names:
        return Training(digests, [], np.empty((0, 1), np.uint64), np.empty((0, 1, 1), np.uint8))
    return Training(digests, names, np.concatenate(hashes), np.concatenate(grays))


def _digests(project: Project) -> dict[str, str]:
    """SHA-256 -> ``part/label/name`` of every picture learnt from; as ``split.csv`` has them, else by reading."""
    listed = {row["sha256"]: f"{row['part']}/{row['label']}/{row['file']}" for row in _rows(project)}
    found = {digest: name for digest, name in listed.items() if name.partition("/")[0] in _LEARNT_FROM}
    if found:
        return found
    parts = [project.dataset / part for part in _LEARNT_FROM if (project.dataset / part).is_dir()]
    paths = (path for part in parts for path, _ in labelled(part))
    return {sha256_of(path): path.relative_to(project.dataset).as_posix() for path in paths}


def _rows(project: Project) -> list[dict[str, str]]:
    path = project.dataset / "split.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def groups_and_overlap(
    project: Project, judged: Judged, training: Training | None, why_not: str = ""
) -> tuple[np.ndarray, Overlap]:
    """The number of each picture's group, int64 [N] from 0 on; and what of it the model has learnt from.

    Parameters
    ----------
    training : None where nobody knows it, as `why_not` says.
    """
    n = len(judged)
    hashes, grays = judged.hashes, judged.grays
    if training is not None and training.names:
        hashes, grays = np.concatenate([hashes, training.hashes]), np.concatenate([grays, training.grays])
    pairs = near_pairs(hashes, lambda wanted: grays[wanted])
    within = [pair for pair in pairs if pair.second < n] + list(_tied(project, judged))
    number = np.zeros(n, dtype=np.int64)
    for group, members in enumerate(groups(n, within, cap=None)):
        number[members] = group
    if training is None:
        return number, Overlap(why_not)
    exact = {
        str(file): training.files[digest]
        for file, digest in zip(judged.files, judged.sha256, strict=True)
        if digest in training.files
    }
    near = {
        str(judged.files[pair.first]): training.names[pair.second - n]
        for pair in pairs
        if pair.first < n <= pair.second and str(judged.files[pair.first]) not in exact
    }
    is_complete = len(training.names) >= len(training.files)
    return number, Overlap(EXACT_AND_NEAR if is_complete else EXACT, exact, near)


def _tied(project: Project, judged: Judged) -> Iterable[Pair]:
    """Pairs of pictures that are the same file, or that ``split.csv`` has in one group."""
    group_of = {row["sha256"]: f"group {row['group']}" for row in _rows(project) if row["group"]}
    first: dict[str, int] = {}
    for i, digest in enumerate(judged.sha256):
        group = group_of.get(digest, digest)
        if group in first:
            yield Pair(first[group], i, 0, 1.0)
        first.setdefault(group, i)
