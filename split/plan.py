"""What a split will be: the part of every accepted picture, and why the others are in none. Nothing is written.

`stage.py` is the stage that carries it out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import ProjectError
from ..files import Project
from ..reasons import Reason
from ..record import PictureFile, Record, State
from .assignment import PARTS, add, bundles, pictures_needed, split_anew
from .grouping import Grouping, group


@dataclass(frozen=True)
class Plan:
    """Files are known by their ids in the record.

    Attributes
    ----------
    files : all in ``images/``, in the order of labels and names.
    parts : file -> train, val or test.
    left_out : file -> why it is in none.
    ties : sets of files that belong together, perhaps with some that are not in ``images/`` any more.
    joined_by : why -> number of those sets.
    """

    files: dict[int, PictureFile]
    parts: dict[int, str]
    left_out: dict[int, Reason]
    ties: list[tuple[int, ...]]
    joined_by: dict[str, int]

    def of(self, *parts: str) -> list[PictureFile]:
        """The files of these parts."""
        return [file for file in self.files.values() if self.parts.get(file.id) in parts]

    def bundles(self) -> list[list[int]]:
        """What stays together, of the files that have a part."""
        return bundles([file.id for file in self.of(*PARTS)], self.ties)

    def counts(self) -> dict[str, dict[str, int]]:
        """Label -> part -> number of files, of every label in ``images/``."""
        found: dict[str, Counter[str]] = {file.label: Counter() for file in self.files.values()}
        for file in self.of(*PARTS):
            found[file.label][self.parts[file.id]] += 1
        return {label: {part: counts[part] for part in PARTS} for label, counts in found.items()}


def plan_plain(project: Project, stored: Iterable[PictureFile], ratio: Sequence[int], seed: int) -> Plan:
    """Every file, none tied: what split-folders makes of ``images/``."""
    files = {file.id: file for file in stored}
    names = {file.id: (file.label, file.name) for file in files.values()}
    return Plan(files, split_anew(names, [], ratio, seed, project.staging("names")), {}, [], {})


def plan_grouped(
    project: Project,
    record: Record,
    stored: Iterable[PictureFile],
    known: Mapping[int, str],
    *,
    ratio: Sequence[int],
    seed: int,
    group_by: str | None,
) -> Plan:
    """What belongs together on one side, added to the parts `known` of a split before; without them the first."""
    files = {file.id: file for file in stored}
    gone = [file for file in record.files(State.REJECTED, State.MISSING) if file.id in known]
    grouping = group(project, record, [*files.values(), *gone], group_by)
    left_out = {file.id: file.content.unreadable for file in files.values() if file.content.unreadable}
    left_out |= dict.fromkeys(_under_two_labels(files, grouping), Reason.LABEL_CONFLICT)
    accepted = {file.id: file for file in files.values() if file.id not in left_out}
    ties = grouping.ties()
    if known:
        labels = {file.id: file.label for file in accepted.values()}
        assigned = add(labels, ties, known, ratio, seed)
        parts, left_out = assigned.parts, left_out | dict.fromkeys(assigned.bridges, Reason.BRIDGE)
    else:
        names = {file.id: (file.label, file.name) for file in accepted.values()}
        parts = split_anew(names, ties, ratio, seed, project.staging("names"))
    return Plan(files, parts, left_out, ties, grouping.counts())


def plan_kept(
    project: Project,
    record: Record,
    stored: Iterable[PictureFile],
    known: Mapping[int, str],
    *,
    ratio: Sequence[int],
    seed: int,
    group_by: str | None,
) -> Plan:
    """The parts `known` from an imported dataset, whatever its pictures show; those without one are added."""
    files = {file.id: file for file in stored}
    kept = {id_: known[id_] for id_, file in files.items() if id_ in known and not file.content.unreadable}
    if files.keys() <= known.keys():
        left_out = {file.id: file.content.unreadable for file in files.values() if file.content.unreadable}
        return Plan(files, kept, left_out, [], {})
    plan = plan_grouped(project, record, files.values(), known, ratio=ratio, seed=seed, group_by=group_by)
    left_out = {id_: reason for id_, reason in plan.left_out.items() if id_ not in kept}
    return replace(plan, parts=plan.parts | kept, left_out=left_out)


def large_bundles(plan: Plan, ratio: Sequence[int]) -> list[str]:
    """A line for each label of which more pictures belong together than its smallest part should have."""
    totals = Counter(file.label for file in plan.of(*PARTS))
    counts = (Counter(plan.files[id_].label for id_ in bundle) for bundle in plan.bundles() if len(bundle) > 1)
    return [
        f"{n} of the {totals[label]} pictures of {label!r} belong together, so its parts cannot have their shares."
        for of_label in counts
        for label, n in of_label.items()
        if n > max(2.0, min(filter(None, ratio)) / 100 * totals[label])
    ]


def _under_two_labels(files: Mapping[int, PictureFile], grouping: Grouping) -> list[int]:
    """Those of `files` whose picture, or nearly the same one, stands under another label too."""
    pictures = {
        file.picture
        for pair in grouping.near_duplicates
        if pair[0].label != pair[1].label and all(one.id in files for one in pair)
        for file in pair
    }
    return [file.id for file in files.values() if file.picture in pictures]


def refuse_empty_parts(plan: Plan, ratio: Sequence[int], *, is_kept: bool = False) -> None:
    """Raise ProjectError where there are not two classes with a picture in every part that `ratio` asks for.

    A division that came with its dataset needs them in train and val only.
    """
    counts = plan.counts()
    if len(counts) < 2:
        raise ProjectError(
            f"images/ holds {len(counts)} class with pictures; a classifier needs two or more.",
            "Run `birds scrape` for another.",
        )
    wanted = PARTS[:2] if is_kept else [part for part, share in zip(PARTS, ratio, strict=True) if share]
    different = Counter(label for bundle in plan.bundles() for label in {plan.files[id_].label for id_ in bundle})
    small = [
        f"{label!r} has {different[label]}, none for {' and '.join(empty)}"
        for label, of_part in counts.items()
        if (empty := [part for part in wanted if not of_part[part]])
    ]
    if small and is_kept:
        raise ProjectError(
            f"As the dataset came divided, too few pictures are left of {len(small)} classes: {small[0]}.",
            "Divide all pictures anew with `birds split --fresh`, or move the folders of these out of images/.",
        )
    if small:
        raise ProjectError(
            f"At {'/'.join(str(share) for share in ratio if share)} a class needs {pictures_needed(ratio)} different "
            f"pictures; {'; '.join(small)}.",
            "Scrape more of it, or move its folder out of images/. "
            "Copies and pictures of one series count once; `birds split --fresh` divides all of them anew.",
        )
