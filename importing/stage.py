"""A dataset that somebody else made -> images/ and the record, as if it had been scraped; divided as it came.

A dataset's own parts are kept: they go into the record with the pictures, and `split.split` makes dataset/ of them. One
that has train and test alone gives a share of train for validation, drawn with the seed.
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UsageError
from ..files import Project
from ..licences import licence_code, licence_url
from ..progress import SILENT, Progress
from ..reconcile import reconcile
from ..record import PictureFile, Provenance, Record, State
from ..record_files import IMPORTED
from ..split.settings import current_split
from ..split.stage import refuse_foreign_dataset, split
from .boxes import keep_boxes
from .dataset import choose, chosen_classes
from .formats import read_dataset
from .storing import store

SEED = 5


@dataclass(frozen=True)
class ImportResult:
    """What became of a dataset.

    Attributes
    ----------
    classes : labels with pictures, in the dataset's order.
    imported : pictures that are new in images/.
    refused : reason -> pictures that are not there for it.
    parts : pictures of this dataset, new ones and old, in each part of ``dataset/``; 0 where it came undivided.
    known : pictures that an earlier import had brought.
    boxes : of them, how many have a bounding box in ``.birds/bounding_boxes.csv``.
    """

    format: str
    classes: list[str]
    imported: int
    refused: dict[str, int]
    parts: dict[str, int] = field(default_factory=dict)
    known: int = 0
    boxes: int = 0


def import_dataset(
    project: Path,
    source: Path,
    *,
    format: str,  # noqa: A002 - the name of the flag
    classes: str | None = None,
    limit: int | None = None,
    seed: int = SEED,
    licence: str | None = None,
    accept_missing: bool = False,
    progress: Progress = SILENT,
) -> ImportResult:
    """Bring the dataset at `source` into `project`. Given again it goes on, and brings nothing twice.

    Parameters
    ----------
    source : its folder, or for ``pickle`` and ``csv`` its file.
    format : one of `formats.FORMATS`.
    classes : the first so many of its classes (``20``), or some by name (``loro,garza``); all by default.
    limit : pictures of each class in each part, for a trial.
    seed : decides which pictures of train become validation, where the dataset has none for that.
    licence : of all its pictures, as `licences.licence_code` reads it; unknown by default.
    accept_missing : pictures that vanished from images/ were removed on purpose.

    Raises
    ------
    UsageError : what lies at `source` is not of that format, or is not whole. Nothing was imported.
    ProjectError : the project stands in the way.
    """
    code = licence_code(licence)
    if licence and code is None:
        raise UsageError(
            f"{licence!r} is no licence that birds knows.", "Example: --licence CC-BY-SA-3.0, or leave it out."
        )
    if limit is not None and limit < 1:
        raise UsageError(f"--limit is {limit}.", "Ask for one or more.")
    place = Project(Path(project))
    dataset = read_dataset(Path(source).expanduser(), format)
    wanted = chosen_classes(dataset.classes, classes)
    items = choose(dataset.items, wanted, limit, seed)
    dataset.refuse_missing(items)
    origin = f"{IMPORTED}{format}"
    is_divided = any(item.part for item in items)
    if is_divided:
        refuse_foreign_dataset(place)
        if (current := current_split(place)) and not current.get("kept"):
            progress.note(
                f"dataset/ is split already. Pictures of {format} get the parts they came with, but near-duplicates of "
                "pictures in another part are left out."
            )
    provenance = Provenance(
        origin,
        query=str(source),
        page_url=dataset.page_url,
        licence=code,
        licence_url=licence_url(code) if code else None,
    )
    keys = {(item.label, item.key) for item in items}
    with place.locked("import"), Record(place) as record, ThreadPoolExecutor(os.cpu_count()) as pool:
        reconcile(place, record, accept_missing=accept_missing)
        known = {(f.label, f.provenance.title or "", f.content.sha256) for f in _of(record, origin)}
        with progress.bar("importing", len(items)) as bar:
            imported, refused = store(
                place, record, dataset.pictures(items), known=known, provenance=provenance, pool=pool, bar=bar
            )
        here = [file for file in _of(record, origin, State.STORED) if (file.label, file.provenance.title) in keys]
        if dataset.boxes:
            keep_boxes(place, here, dataset.boxes)
    if is_divided:
        progress.note("Dividing it as it came.")
        split(
            place.root, kept=origin, seed=seed, only_if_changed=True, accept_missing=accept_missing, progress=progress
        )
    with Record(place) as record:
        part_of = record.split_parts() if is_divided else {}
    parts = Counter(part_of[file.id] for file in here if file.id in part_of)
    return ImportResult(
        format=format,
        classes=[label for label in wanted if any(file.label == label for file in here)],
        imported=imported,
        refused=dict(refused),
        parts={part: parts[part] for part in ("train", "val", "test")},
        known=len(here) - imported,
        boxes=sum((file.provenance.title or "") in dataset.boxes for file in here),
    )


def _of(record: Record, origin: str, *states: State) -> list[PictureFile]:
    return [file for file in record.files(*states) if file.provenance.source == origin]
