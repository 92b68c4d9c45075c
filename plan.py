"""What a split will be: the part of every accepted picture, and why the others are in none. Nothing is written.

`split.py` is the stage that carries it out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .assignment import PARTS, add, bundles, pictures_needed, split_anew
from .errors import ProjectError
from .files import Project
from .grouping import group
from .reasons import Reason
from .record import PictureFile, Record, State


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
    for a, b in grouping.near_duplicates:
        if a.label != b.label and a.id in files and b.id in files:
            left_out[a.id] = left_out[b.id] = Reason.LABEL_CONFLICT
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


def refuse_empty_parts(plan: Plan, ratio: Sequence[int]) -> None:
    """Raise ProjectError where there are not two classes with a picture in every part."""
    counts = plan.counts()
    if len(counts) < 2:
        raise ProjectError(
            f"images/ holds {len(counts)} class with pictures; a classifier needs two or more.",
            "Run `birds scrape` for another.",
        )
    different = Counter(label for bundle in plan.bundles() for label in {plan.files[id_].label for id_ in bundle})
    small = [
        f"{label!r} has {different[label]}, none for {' and '.join(empty)}"
        for label, of_part in counts.items()
        if (empty := [part for part in PARTS if not of_part[part]])
    ]
    if small:
        raise ProjectError(
            f"At {'/'.join(map(str, ratio))} a class needs {pictures_needed(ratio)} different pictures; "
            f"{'; '.join(small)}.",
            "Scrape more of it, or move its folder out of images/. "
            "Copies and pictures of one series count once; `birds split --fresh` divides all of them anew.",
        )
