"""Stage 3: the accepted pictures -> dataset/train, val and test, with a seed.

The first split, or a fresh one, is split-folders' of the accepted files; later ones add to it (`assignment.py`). What
belongs together stays on one side (`grouping.py`), and a picture under two labels stays out until a person decides.
``plain`` is every file and no grouping, made anew each time: file by file what split-folders makes of images/.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from .. import files
from ..errors import ProjectError
from ..files import Project
from ..moves import image_path
from ..progress import SILENT, Progress
from ..reconcile import inspect_stored, reconcile
from ..record import PictureFile, Record, State
from .assignment import PARTS
from .folds import folds
from .plan import Plan, large_bundles, plan_grouped, plan_kept, plan_plain, refuse_empty_parts
from .report import Neighbour, neighbours, write_tables
from .settings import FORMAT_VERSION, Settings, current_split, number_of_folds, parse_ratio, settings_of


@dataclass(frozen=True)
class SplitResult:
    """Pictures in each part; what was left out and why; test pictures that show what a training picture shows.

    Attributes
    ----------
    groups : sets of two or more pictures that had to stay together.
    leaks : by a measure other than the one that made the groups; see `leaks.py`. None where they were not looked for:
        of a division that came with its dataset.
    added : newcomers to a split that was there already.
    folds : of cross-validation; 0 where none were asked for.
    """

    train: int
    val: int
    test: int
    classes: int
    seed: int
    groups: int
    left_out: dict[str, int]
    leaks: int | None
    added: int = 0
    folds: int = 0


def split(
    project: Path,
    *,
    ratio: str | None = None,
    seed: int | None = None,
    plain: bool | None = None,
    group_by: str | None = None,
    kfold: int | None = None,
    fresh: bool = False,
    accept_missing: bool = False,
    only_if_changed: bool = False,
    kept: str | None = None,
    progress: Progress = SILENT,
) -> SplitResult:
    """Make ``dataset/`` from the accepted pictures of ``images/``. What has a part already keeps it.

    Settings that are not given are those of the split that is there, and else the defaults.

    Parameters
    ----------
    project : the project folder.
    ratio : train/val/test in per cent, by default 70/15/15; train/val, for no test part.
    seed : of the shuffle, by default 5; the same files and seed give the same first split.
    plain : every file, no grouping, nothing left out, nothing kept where it was.
    group_by : ``folder`` or a column of the record's provenance: pictures with the same value stay together.
    kfold : also divide train and val into so many folds, ``dataset/folds/1/train`` and so on; 0 for none.
    fresh : forget the split that is there.
    accept_missing : pictures that vanished from images/ were removed on purpose.
    only_if_changed : leave a dataset/ as it is that would come out the same.
    kept : an imported dataset, which has given its pictures their parts in the record. Unless there is another split
        already they stay there, near-duplicates and pictures under two labels too.

    Raises
    ------
    UsageError : a setting that cannot be.
    ProjectError : no pictures, one class only, a class that would have an empty part, settings other than those of the
        split that is there, or a ``dataset/`` that another tool made.
    """
    place = Project(Path(project))
    current = {} if fresh else current_split(place)
    given = {"ratio": ratio, "seed": seed, "plain": plain, "group_by": group_by}
    settings = settings_of(current, given, kept)
    k = number_of_folds(current, kfold)
    if not place.images.is_dir():
        raise ProjectError(
            f"There is no folder {place.images}.",
            "Run `birds scrape`, or put one folder of pictures for each class there.",
        )
    refuse_foreign_dataset(place)
    with place.locked("split"), Record(place) as record:
        reconcile(place, record, accept_missing=accept_missing)
        stored = record.files(State.STORED)
        known = {} if fresh or settings.plain else record.split_parts() or _parts_on_disk(place, stored)
        is_as_imported = settings.kept is not None and all(f.id in known and f.content.format for f in stored)
        if not is_as_imported:  # else 70,000 pictures would be looked at for nothing
            stored = inspect_stored(place, record, progress)
            looked_at = record.looks.known()
            if edited := [f for f in stored if f.content.unreadable is None and f.picture not in looked_at]:
                raise ProjectError(f"{_path(edited[0])} was changed during the split.", "Run birds split again.")
        if known and not current and not kept and any(value is not None for value in given.values()):
            raise ProjectError(
                "Pictures have parts of an earlier split, but dataset/split.json, which says how it was made, is gone.",
                "`birds split` without settings makes it again; with --fresh it splits anew, and takes them.",
            )
        plan = _plan(place, record, stored, known, settings)
        for line in large_bundles(plan, parse_ratio(settings.ratio)):
            progress.note(line)
        outside_test = {file.id: file.label for file in plan.of("train", "val")}
        fold_of = folds(outside_test, plan.ties, k, settings.seed) if k else {}
        state = {
            **asdict(settings),
            "folds": k,
            "fingerprint": fingerprint(plan),
            "left_out_files": {_path(plan.files[id_]): reason for id_, reason in plan.left_out.items()},
        }
        if only_if_changed and state.items() <= current.items():
            progress.note("The split is up to date.")
            return SplitResult(**{field.name: current[field.name] for field in fields(SplitResult)})
        found = None if is_as_imported else neighbours(record, plan)
        result = _result(plan, found, known, settings.seed, k)
        new = place.staging("split")
        _link(place, new, plan, fold_of)
        document = {
            "format_version": FORMAT_VERSION,
            **state,
            "origin": current.get("origin", state["fingerprint"]) if known else state["fingerprint"],
            **asdict(result),
            "joined_by": plan.joined_by,
            "leaks_in_val": None if found is None else sum(one.is_leak for one in found if one.part == "val"),
            "counts": plan.counts(),
        }
        files.write_json(new / "split.json", document)
        write_tables(new, plan, found or [])
        remembered = {**known, **plan.parts}
        # Killed before the swap, an addition goes on with the parts it has given. A split made anew is forgotten
        # instead, until its dataset/ is in place: the one that lies there, and its seed, count until then.
        with record.transaction():
            record.remember_split(remembered.items() if known else ())
        files.swap_folder(new, place.dataset, place.temporary / "old-dataset")
        with record.transaction():
            record.remember_split(remembered.items())
    return result


def fingerprint(plan: Plan) -> str:
    """One hash over labels, names, contents and parts: what a model trained on this split has seen."""
    lines = sorted(f"{file.label}\0{file.name}\0{file.sha256}\0{plan.parts[file.id]}" for file in plan.of(*PARTS))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def refuse_foreign_dataset(project: Project) -> None:
    """Raise ProjectError where there is a ``dataset/`` that another tool made.

    It may hold the only copies: split-folders moves files where it is told to.
    """
    if project.dataset.is_dir() and any(project.dataset.iterdir()) and not (project.dataset / "split.json").exists():
        raise ProjectError(
            f"{project.dataset} was not made by `birds split`, so it is not replaced.",
            "Move it away (or train on it as it is: `birds train` takes it).",
        )


def _parts_on_disk(project: Project, stored: Sequence[PictureFile]) -> dict[int, str]:
    """The parts that pictures have in ``dataset/``, by content: what is left where the record was lost."""
    part_of = {
        files.sha256_of(path): part for part in PARTS for path in (project.dataset / part).glob("*/*") if path.is_file()
    }
    return {file.id: part_of[file.sha256] for file in stored if file.sha256 in part_of}


def _plan(
    project: Project, record: Record, stored: Sequence[PictureFile], known: Mapping[int, str], settings: Settings
) -> Plan:
    ratio = parse_ratio(settings.ratio)
    if settings.plain:
        plan = plan_plain(project, stored, ratio, settings.seed)
    else:
        plan_parts = plan_kept if settings.kept else plan_grouped
        plan = plan_parts(project, record, stored, known, ratio=ratio, seed=settings.seed, group_by=settings.group_by)
    refuse_empty_parts(plan, ratio, is_kept=settings.kept is not None)
    return plan


def _result(plan: Plan, found: Iterable[Neighbour] | None, known: Mapping[int, str], seed: int, k: int) -> SplitResult:
    sizes = Counter(plan.parts.values())
    return SplitResult(
        train=sizes["train"],
        val=sizes["val"],
        test=sizes["test"],
        classes=len(plan.counts()),
        seed=seed,
        groups=sum(len(bundle) > 1 for bundle in plan.bundles()),
        left_out=dict(Counter(plan.left_out.values())),
        leaks=None if found is None else sum(one.is_leak for one in found if one.part == "test"),
        added=len(plan.parts.keys() - known.keys()) if known else 0,
        folds=k,
    )


def _path(file: PictureFile) -> str:
    return f"{file.label}/{file.name}"


def _link(project: Project, folder: Path, plan: Plan, fold_of: Mapping[int, int]) -> None:
    """Fill `folder` with train, val and test, and with folds/1/train, folds/1/val and so on."""
    numbers = sorted(set(fold_of.values()))
    for file in plan.of(*PARTS):
        places = [plan.parts[file.id]]
        if file.id in fold_of:
            places += [f"folds/{number}/{'val' if number == fold_of[file.id] else 'train'}" for number in numbers]
        for place in places:
            target = folder / place / file.label / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                files.link_or_copy(image_path(project, file), target)
            except FileNotFoundError as error:  # the review page holds no lock
                raise ProjectError(
                    f"{image_path(project, file)} was moved or rejected during the split.", "Run birds split again."
                ) from error
