"""The stage: pictures -> pictures a person agrees with. Nothing is deleted: rejected files rest in .birds/rejected/."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import ProjectError
from ..files import Project
from ..moves import reject
from ..progress import SILENT, Progress
from ..reconcile import inspect_stored, reconcile
from ..record import Author, Record, State
from . import checks


@dataclass(frozen=True)
class CleanResult:
    """Numbers of pictures: checked, rejected now and queued for a person by reason, reviewed, left in images/."""

    checked: int
    rejected: dict[str, int]
    queued: dict[str, int]
    reviewed: int
    accepted: int


def clean(
    project: Path, *, auto: bool = False, accept_missing: bool = False, progress: Progress = SILENT
) -> CleanResult:
    """Check every picture of ``images/``; with `auto`, reject what is beyond doubt.

    Parameters
    ----------
    auto : reject unreadable files, exact copies within a label and pictures under 64 pixels (undoable); without it
        they are queued like all other findings.
    accept_missing : pictures that vanished from images/ were removed on purpose.

    Raises
    ------
    ProjectError : there is no images/.
    """
    place = Project(Path(project))
    if not place.images.is_dir():
        raise ProjectError(
            f"There is no folder {place.images}.",
            "Run `birds scrape`, or put one folder of pictures for each class there.",
        )
    with place.locked("clean"), Record(place) as record:
        changes = reconcile(place, record, accept_missing=accept_missing)
        if str(changes):
            progress.note(f"By hand since last time: {changes}.")
        stored = inspect_stored(place, record, progress)
        sure = checks.automatic(stored, record.accepted_by_a_person())
        rejected: Counter[str] = Counter()
        queued: Counter[str] = Counter()
        for file in stored:
            if file.id in sure and auto and reject(place, record, file, sure[file.id], Author.AUTO):
                rejected[sure[file.id]] += 1
        left = record.files(State.STORED)
        queued.update(reason for reason in (checks.for_a_person(left) | ({} if auto else sure)).values())
        everything = record.files()
        return CleanResult(
            checked=len(stored),
            rejected=dict(rejected),
            queued=dict(queued),
            reviewed=sum(file.author is Author.PERSON for file in everything),
            accepted=len(left),
        )
