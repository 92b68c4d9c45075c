"""What `birds explore` counts and measures: classes, sizes, copies and flags of the pictures in images/.

All of it is read from the record; no picture is decoded here, so that 100,000 take seconds.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..reasons import Reason
from ..record import PictureFile
from ..record_review import Finding

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Spread:
    """Of n numbers. ``std`` is their standard deviation, divided by n: it describes these and estimates no others."""

    mean: float
    std: float
    min: float
    median: float
    max: float


@dataclass(frozen=True)
class Counts:
    """One class, or all of them.

    Attributes
    ----------
    pictures, rejected : files in images/, and at rest in .birds/rejected/.
    flagged : of `pictures`, those that `birds clean` found something about which nobody has settled yet.
    unmeasured : of `pictures`, those without a size: unreadable, or not read yet.
    width, height, shorter_side, aspect : pixels, upright, and width / height; None where no picture was measured.
    bytes : of the files as they came.
    formats, sources : numbers of pictures, most first.
    """

    pictures: int
    rejected: int
    flagged: int
    unmeasured: int
    width: Spread | None
    height: Spread | None
    shorter_side: Spread | None
    aspect: Spread | None
    bytes: Spread | None
    formats: dict[str, int]
    sources: dict[str, int]


@dataclass(frozen=True)
class Copies:
    """Contents that lie in images/ more than once, byte by byte.

    Attributes
    ----------
    groups : different contents.
    files : all files with one of them.
    across_classes : groups of which files lie in two classes or more.
    """

    groups: int
    files: int
    across_classes: int


@dataclass(frozen=True)
class Flag:
    """Pictures that wait for a person for one reason, and in how many groups of duplicates they are (0: in none)."""

    pictures: int
    groups: int


@dataclass(frozen=True)
class Overview:
    """A project in numbers.

    Attributes
    ----------
    total, classes : of all pictures, and by label, the largest class first.
    sizes : width and height of each measured picture, int64 [n, 2].
    flags : reason -> what `birds clean` found and nobody has settled yet, most first.
    """

    total: Counts
    classes: dict[str, Counts]
    sizes: "np.ndarray"
    copies: Copies
    flags: dict[Reason, Flag]


def overview(stored: Sequence[PictureFile], rejected: Mapping[str, int], findings: Iterable[Finding]) -> Overview:
    """Count and measure.

    Parameters
    ----------
    stored : the files in images/.
    rejected : label -> number of files that were rejected.
    findings : of any file; those of files that are not `stored` any more are settled and do not count.
    """
    ids = {file.id for file in stored}
    waiting = [finding for finding in findings if finding.file in ids]
    flagged = {finding.file for finding in waiting}
    by_label: dict[str, list[PictureFile]] = {label: [] for label in rejected}
    for file in stored:
        by_label.setdefault(file.label, []).append(file)
    classes = {label: _counts(files, rejected.get(label, 0), flagged) for label, files in by_label.items()}
    return Overview(
        total=_counts(stored, sum(rejected.values()), flagged),
        classes=dict(sorted(classes.items(), key=lambda item: (-item[1].pictures, item[0]))),
        sizes=_sizes(stored),
        copies=_copies(stored),
        flags=_flags(waiting),
    )


def _counts(files: Sequence[PictureFile], rejected: int, flagged: set[int]) -> Counts:
    sizes = _sizes(files)
    width, height = sizes[:, 0], sizes[:, 1]
    return Counts(
        pictures=len(files),
        rejected=rejected,
        flagged=sum(file.id in flagged for file in files),
        unmeasured=len(files) - len(sizes),
        width=_spread(width),
        height=_spread(height),
        shorter_side=_spread(sizes.min(axis=1)),
        aspect=_spread(width / height),
        bytes=_spread([file.content.bytes for file in files]),
        formats=dict(Counter(file.content.format or "unknown" for file in files).most_common()),
        sources=dict(Counter(file.provenance.source for file in files).most_common()),
    )


def _sizes(files: Iterable[PictureFile]) -> "np.ndarray":
    import numpy as np

    known = [(f.content.width, f.content.height) for f in files if f.content.width and f.content.height]
    return np.array(known, dtype=np.int64).reshape(-1, 2)


def _spread(values: "np.ndarray | list[int]") -> Spread | None:
    import numpy as np

    if not len(values):
        return None
    figures = (np.mean(values), np.std(values), np.min(values), np.median(values), np.max(values))
    return Spread(*(float(figure) for figure in figures))


def _copies(files: Iterable[PictureFile]) -> Copies:
    labels = defaultdict(list)
    for file in files:
        labels[file.picture].append(file.label)
    groups = [group for group in labels.values() if len(group) > 1]
    return Copies(len(groups), sum(map(len, groups)), sum(len(set(group)) > 1 for group in groups))


def _flags(waiting: Sequence[Finding]) -> dict[Reason, Flag]:
    pictures = Counter(finding.reason for finding in waiting)
    bundles = {(finding.reason, finding.bundle) for finding in waiting if finding.bundle is not None}
    groups = Counter(reason for reason, _ in bundles)
    return {reason: Flag(n, groups[reason]) for reason, n in pictures.most_common()}
