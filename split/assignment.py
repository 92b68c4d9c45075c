"""Which part of the split each picture goes to: ids, labels and ties in, parts out.

The first split is split-folders' own (github.com/jfilter/split-folders), class by class. Later ones only add: what is
in a part stays there. A tie is a set of pictures that belong on one side, whatever their labels; see `grouping.py`.
"""

import contextlib
import io
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import link_or_copy

PARTS = ("train", "val", "test")
_STAYS_FIRST = ("test", "val", "train")  # where assigned pictures turn out to belong together: a test set is to last

Ties = Iterable[Sequence[int]]


@dataclass(frozen=True)
class Assignment:
    """Picture -> part, and those in none because they are tied to pictures in two parts."""

    parts: dict[int, str]
    bridges: set[int]


def bundles(pictures: Collection[int], ties: Ties) -> list[list[int]]:
    """What must stay on one side together, single pictures included, in the order of `pictures`.

    What is tied but not among `pictures` is passed over; the others of its tie still belong together.
    """
    parent = {picture: picture for picture in pictures}

    def root(picture: int) -> int:
        while parent[picture] != picture:
            parent[picture] = parent[parent[picture]]
            picture = parent[picture]
        return picture

    for tie in ties:
        present = [picture for picture in tie if picture in parent]
        for picture in present[1:]:
            parent[root(picture)] = root(present[0])
    found: dict[int, list[int]] = {}
    for picture in parent:
        found.setdefault(root(picture), []).append(picture)
    return list(found.values())


def pictures_needed(ratio: Sequence[int]) -> int:
    """How many different pictures give every part one, as split-folders divides: all but the last are cut down."""
    for n in itertools.count(1):
        sizes = [int(share / 100 * n) for share in ratio if share][:-1]
        if min(*sizes, n - sum(sizes)):
            return n
    raise AssertionError


def split_anew(
    names: Mapping[int, tuple[str, str]], ties: Ties, ratio: Sequence[int], seed: int, folder: Path
) -> dict[int, str]:
    """Split by split-folders. A bundle counts as one picture.

    Parameters
    ----------
    names : picture -> (label, file name), in the order of labels and names.
    ratio : per cent of train, val and test, of which test may be 0.
    folder : an empty one to work in.

    Returns
    -------
    Picture -> part, of all of them.

    Notes
    -----
    split-folders takes one class at a time. A bundle of several labels goes where the label puts it that has most of
    its pictures.
    """
    of_class: dict[str, list[list[int]]] = {label: [] for label, _ in names.values()}
    led_by: dict[int, int] = {}
    for bundle in bundles(names, ties):
        leading = Counter(names[picture][0] for picture in bundle).most_common(1)[0][0]  # of equals the first
        led = [picture for picture in bundle if names[picture][0] == leading]
        of_class[leading].append(led)
        led_by |= dict.fromkeys(bundle, led[0])
    placed = _by_split_folders({label: of for label, of in of_class.items() if of}, names, ratio, seed, folder)
    return {picture: placed[leader] for picture, leader in led_by.items()}


def _by_split_folders(
    of_class: Mapping[str, Iterable[Iterable[int]]],
    names: Mapping[int, tuple[str, str]],
    ratio: Sequence[int],
    seed: int,
    folder: Path,
) -> dict[int, str]:
    """Let split-folders move files of these names: empty ones, since it never opens them."""
    import splitfolders

    if not of_class:
        return {}
    source, output, empty = folder / "images", folder / "parts", folder / "empty"
    empty.touch()
    bundle_of: dict[tuple[str, str], int] = {}
    picture_of: dict[tuple[str, str], int] = {}
    for label, of in of_class.items():
        (source / label).mkdir(parents=True)
        for number, bundle in enumerate(of):
            for picture in bundle:
                link_or_copy(empty, source / label / names[picture][1])  # a ninth of the time of a new file
                bundle_of[names[picture]] = number
                picture_of[names[picture]] = picture

    def group(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
        together = defaultdict(list)
        for path in sorted(paths):
            together[bundle_of[path.parent.name, path.name]].append(path)
        return [tuple(paths) for paths in together.values()]

    global_state = random.getstate()  # split-folders reseeds the global generator for each class
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            splitfolders.ratio(
                str(source),
                output=str(output),
                seed=seed,
                ratio=tuple(share / 100 for share in ratio if share),
                group=group,
                move=True,
            )
    finally:
        random.setstate(global_state)
    return {picture_of[path.parent.name, path.name]: part for part in PARTS for path in (output / part).glob("*/*")}


def add(labels: Mapping[int, str], ties: Ties, known: Mapping[int, str], ratio: Sequence[int], seed: int) -> Assignment:
    """Add to a split: nothing that has a part goes to another one.

    A bundle of newcomers joins the part it is tied to; tied to two, it stays out. One without ties goes where its
    class lacks most, see `spread`.

    Parameters
    ----------
    labels : accepted picture -> label, in a fixed order.
    known : picture -> part of all that ever had one. Those not among `labels`, rejected since for example, may come
        back: where nothing else ties a newcomer it goes to their part.

    Notes
    -----
    Should assigned pictures of two parts turn out to belong together (one was edited, a tie is new), those in the part
    that `_STAYS_FIRST` names first stay, the others are left out as bridges.
    """
    ties = list(ties)
    ties_of = defaultdict(set)
    for number, tie in enumerate(ties):
        for picture in tie:
            ties_of[picture].add(number)
    parts: dict[int, str] = {}
    bridges: set[int] = set()
    for bundle in bundles([picture for picture in labels if picture in known], ties):
        sides = {known[picture] for picture in bundle}
        staying = next(part for part in _STAYS_FIRST if part in sides)
        parts |= {picture: staying for picture in bundle if known[picture] == staying}
        bridges |= {picture for picture in bundle if known[picture] != staying}
    settled = dict(parts)
    free = []
    for bundle in bundles([picture for picture in labels if picture not in known], ties):
        tied = {other for number in set().union(*(ties_of[picture] for picture in bundle)) for other in ties[number]}
        sides = {settled[other] for other in tied if other in settled}
        remembered = {known[other] for other in tied if other in known and other not in settled}
        if len(sides) > 1:
            bridges |= set(bundle)
        elif sides or len(remembered) == 1:
            parts |= dict.fromkeys(bundle, *(sides or remembered))
        else:
            free.append(bundle)
    shares = {part: share / 100 for part, share in zip(PARTS, ratio, strict=True) if share}
    held = Counter((labels[picture], part) for picture, part in parts.items())
    return Assignment(parts | spread(free, labels, shares, seed, held), bridges)


def spread(
    together: Iterable[Sequence[int]],
    labels: Mapping[int, str],
    shares: Mapping[str, float],
    seed: int,
    held: Mapping[tuple[str, str], int],
) -> dict[int, str]:
    """Give each bundle to the part that lacks most pictures of its class; the largest first, else in random order.

    Dividing each batch of newcomers by itself, as split-folders would, cuts train and val down to whole numbers each
    time: pictures added one or two at a time would all go to test.

    Parameters
    ----------
    shares : part -> its share of each class; they add up to 1.
    held : (label, part) -> pictures that it has already.
    """
    order = list(together)
    random.Random(seed).shuffle(order)
    order.sort(key=len, reverse=True)
    has = Counter(held)
    of_label = Counter(labels[picture] for bundle in order for picture in bundle)
    for (label, _), n in held.items():
        of_label[label] += n
    of_part = Counter[str]()
    for (_, part), n in held.items():
        of_part[part] += n
    placed: dict[int, str] = {}
    for bundle in order:
        counts = Counter(labels[picture] for picture in bundle)
        lacks = {
            part: sum(n * (max(1.0, share * of_label[label]) - has[label, part]) for label, n in counts.items())
            for part, share in shares.items()
        }
        part = max(shares, key=lambda part: (lacks[part], -of_part[part] / shares[part]))
        placed |= dict.fromkeys(bundle, part)
        of_part[part] += len(bundle)
        has.update({(label, part): n for label, n in counts.items()})
    return placed
