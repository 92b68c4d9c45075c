"""Stage 3: the accepted pictures -> dataset/train, val and test, by split-folders, with a seed.

By default near-duplicates stay together on one side and a picture under two labels stays out until a person decides.
``plain`` is every file and no grouping: file by file what split-folders makes of images/ with the same seed.
The first split is a function of the accepted files and the seed.
"""

import contextlib
import hashlib
import io
import itertools
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from . import duplicates, files
from .errors import ProjectError, UsageError
from .files import Project
from .moves import image_path
from .progress import SILENT, Progress
from .reasons import Reason
from .reconcile import inspect_stored, reconcile
from .record import PictureFile, Record

PARTS = ("train", "val", "test")
RATIO = "70/15/15"
SEED = 5
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SplitResult:
    """Pictures in each part; what was left out and why; test pictures with a near-duplicate in train.

    ``groups`` counts sets of two or more pictures that had to stay together.
    """

    train: int
    val: int
    test: int
    classes: int
    seed: int
    groups: int
    left_out: dict[str, int]
    leaks: int


def parse_ratio(text: str) -> tuple[int, ...]:
    """``70/15/15`` as (70, 15, 15). Raises UsageError unless it is three positive numbers that add up to 100."""
    try:
        ratio = tuple(int(part) for part in text.split("/"))
    except ValueError:
        ratio = ()
    if len(ratio) != 3 or min(ratio) <= 0 or sum(ratio) != 100:
        raise UsageError(f"{text!r} is no ratio.", "Give train/val/test as per cent, for example 70/15/15.")
    return ratio


def fingerprint(accepted: Sequence[PictureFile]) -> str:
    """One hash over labels, names and contents: what a split is a function of, beside its seed."""
    lines = sorted(f"{file.label}\0{file.name}\0{file.sha256}" for file in accepted)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def split(
    project: Path,
    *,
    ratio: str = RATIO,
    seed: int = SEED,
    plain: bool = False,
    accept_missing: bool = False,
    only_if_changed: bool = False,
    progress: Progress = SILENT,
) -> SplitResult:
    """Make ``dataset/`` anew from the accepted pictures of ``images/``.

    Parameters
    ----------
    project : the project folder.
    ratio : train/val/test in per cent.
    seed : of the shuffle; the same files and seed give the same split.
    plain : every file, no grouping, nothing left out.
    accept_missing : pictures that vanished from images/ were removed on purpose.
    only_if_changed : leave a dataset/ as it is that the same pictures and settings gave.

    Raises
    ------
    ProjectError : no pictures, one class only, a class too small for a picture in every part, or a ``dataset/`` that
        another tool made.
    """
    shares = parse_ratio(ratio)
    place = Project(Path(project))
    if not place.images.is_dir():
        raise ProjectError(
            f"There is no folder {place.images}.",
            "Run `birds scrape`, or put one folder of pictures for each class there.",
        )
    _refuse_to_replace_a_foreign_dataset(place)
    with place.locked("split"), Record(place) as record:
        reconcile(place, record, accept_missing=accept_missing)
        stored = inspect_stored(place, record, progress)
        pairs = duplicates.near_duplicates(stored)
        left_out = {} if plain else _left_out(stored, pairs)
        accepted = [file for file in stored if file.id not in left_out]
        settings = {"ratio": ratio, "seed": seed, "plain": plain, "fingerprint": fingerprint(accepted)}
        out_by_name = {f"{file.label}/{file.name}": left_out[file.id] for file in stored if file.id in left_out}
        current = _current_split(place) if only_if_changed else {}
        if {**settings, "left_out_files": out_by_name}.items() <= current.items():
            progress.note("The split is up to date.")
            return SplitResult(**{field.name: current[field.name] for field in fields(SplitResult)})
        bundles = _bundles(stored, accepted, [] if plain else pairs)
        _check_sizes(bundles, shares)
        new = place.staging("split")
        parts = _run_split_folders(place, new, bundles, shares, seed)
        sizes = Counter(parts.values())
        result = SplitResult(
            train=sizes["train"],
            val=sizes["val"],
            test=sizes["test"],
            classes=len(bundles),
            seed=seed,
            groups=sum(len(bundle) > 1 for of_class in bundles.values() for bundle in of_class),
            left_out=dict(Counter(left_out.values())),
            leaks=len(
                {
                    b
                    for pair in pairs
                    for a, b in (pair, pair[::-1])
                    if (parts.get(a.id), parts.get(b.id)) == ("train", "test")
                }
            ),
        )
        document = {
            "format_version": FORMAT_VERSION,
            **settings,
            **asdict(result),
            "left_out_files": out_by_name,
            "counts": {
                label: dict(Counter(parts[f.id] for b in of_class for f in b)) for label, of_class in bundles.items()
            },
        }
        files.write_json(new / "split.json", document)
        with record.transaction():  # before the swap: killed in between, split.json is the old one and we run again
            record.remember_split(parts.items())
        files.swap_folder(new, place.dataset, place.temporary / "old-dataset")
    return result


def _current_split(project: Project) -> dict[str, Any]:
    """What ``split.json`` says; nothing where there is none of this version that can be read."""
    try:
        document = json.loads((project.dataset / "split.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) and document.get("format_version") == FORMAT_VERSION else {}


def _refuse_to_replace_a_foreign_dataset(project: Project) -> None:
    """It may hold the only copies: split-folders moves files where it is told to."""
    if project.dataset.is_dir() and any(project.dataset.iterdir()) and not (project.dataset / "split.json").exists():
        raise ProjectError(
            f"{project.dataset} was not made by `birds split`, so it is not replaced.",
            "Move it away (or train on it as it is: `birds train` takes it).",
        )


def _left_out(stored: Sequence[PictureFile], pairs: Iterable[tuple[PictureFile, PictureFile]]) -> dict[int, Reason]:
    """File id -> why it is in no part: unreadable, or the same picture stands under another label too."""
    reasons = {file.id: file.content.unreadable for file in stored if file.content.unreadable}
    for a, b in pairs:
        if a.label != b.label:
            reasons[a.id] = reasons[b.id] = Reason.LABEL_CONFLICT
    return reasons


def _bundles(
    stored: Sequence[PictureFile], accepted: Sequence[PictureFile], pairs: Iterable[tuple[PictureFile, PictureFile]]
) -> dict[str, list[tuple[PictureFile, ...]]]:
    """Label -> what must stay on one side together; most bundles are a single picture.

    A label of `stored` with nothing accepted has no bundle: it is too small, not forgotten.
    """
    index = {file.id: i for i, file in enumerate(accepted)}
    links = [(index[a.id], index[b.id]) for a, b in pairs if a.id in index and b.id in index]
    bundles: dict[str, list[tuple[PictureFile, ...]]] = {file.label: [] for file in stored}
    for group in duplicates.groups(len(accepted), links):
        bundles[accepted[group[0]].label].append(tuple(accepted[i] for i in group))
    return bundles


def _part_sizes(n: int, ratio: Sequence[int]) -> tuple[int, int, int]:
    """How split-folders divides n items: train and val are cut down to whole numbers, test gets the rest."""
    train, val = int(ratio[0] / 100 * n), int(ratio[1] / 100 * n)
    return train, val, n - train - val


def _check_sizes(bundles: Mapping[str, Sequence[object]], ratio: Sequence[int]) -> None:
    if len(bundles) < 2:
        raise ProjectError(
            f"images/ holds {len(bundles)} class with pictures; a classifier needs two or more.",
            "Run `birds scrape` for another.",
        )
    needed = next(n for n in itertools.count(1) if min(_part_sizes(n, ratio)))
    small = {label: len(of_class) for label, of_class in bundles.items() if len(of_class) < needed}
    if small:
        found = ", ".join(f"{label!r} has {n}" for label, n in small.items())
        raise ProjectError(
            f"At {'/'.join(map(str, ratio))} a class needs {needed} different pictures; {found}.",
            "Scrape more of it, or move its folder out of images/.",
        )


def _run_split_folders(
    project: Project,
    output: Path,
    bundles: Mapping[str, Sequence[tuple[PictureFile, ...]]],
    ratio: Sequence[int],
    seed: int,
) -> dict[int, str]:
    """Fill `output` with train/, val/ and test/; returns file id -> part.

    split-folders works on a staging folder of links to the accepted files only, and moves those links: it would take
    every other file for a picture too.
    """
    import splitfolders

    staging = project.staging("accepted")
    bundle_of: dict[tuple[str, str], int] = {}
    files_of: dict[tuple[str, str], PictureFile] = {}
    for label, of_class in bundles.items():
        (staging / label).mkdir()
        for number, bundle in enumerate(of_class):
            for file in bundle:
                try:
                    files.link_or_copy(image_path(project, file), staging / label / file.name)
                except FileNotFoundError as error:  # the review page holds no lock
                    raise ProjectError(
                        f"{image_path(project, file)} was moved or rejected during the split.", "Run birds split again."
                    ) from error
                bundle_of[label, file.name] = number
                files_of[label, file.name] = file

    def group(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
        together = defaultdict(list)
        for path in sorted(paths):
            together[bundle_of[path.parent.name, path.name]].append(path)
        return [tuple(paths) for paths in together.values()]

    global_state = random.getstate()  # split-folders reseeds the global generator for each class
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
            splitfolders.ratio(
                str(staging), output=str(output), seed=seed, ratio=tuple(r / 100 for r in ratio), group=group, move=True
            )
    finally:
        random.setstate(global_state)
    return {files_of[path.parent.name, path.name].id: part for part in PARTS for path in (output / part).glob("*/*")}
