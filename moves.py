"""Moves of files between ``images/`` and the rejected ones, and from label to label: first in the record, then on disk.

Nothing is deleted. A kill between the two is settled by `settle_moves`, which `reconcile.py` calls first.
"""

from contextlib import suppress
from itertools import count
from pathlib import Path

from .files import Project
from .reasons import Reason
from .record import Author, PictureFile, Record, State


def image_path(project: Project, file: PictureFile) -> Path:
    """Where a stored file lies."""
    return project.images / file.label / file.name


def rejected_path(project: Project, file: PictureFile) -> Path:
    """Where a rejected file rests."""
    return project.rejected / file.label / file.name


def current_path(project: Project, file: PictureFile) -> Path:
    """Where `file` lies now, in ``images/`` or with the rejected ones."""
    return rejected_path(project, file) if file.state is State.REJECTED else image_path(project, file)


def reject(project: Project, record: Record, file: PictureFile, reason: Reason, author: Author) -> bool:
    """Move a file out of ``images/``, first in the record, then on disk. Undone by `restore`.

    Returns
    -------
    False, and nothing was done, if it was rejected or a person decided about it since `file` was read: the review
    page holds no lock, and what a person says counts.
    """
    with record.transaction():
        now = record.file(file.id)
        if now is None or now.state is State.REJECTED:
            return False
        if author is Author.AUTO and now.author is Author.PERSON and file.author is not Author.PERSON:
            return False
        record.decide(file, "reject", reason, author)
    source, target = image_path(project, file), rejected_path(project, file)
    # Left by a record that was lost; it makes room, nothing is deleted. In this order: a move made meanwhile is none.
    if target.exists() and source.exists():
        target.rename(next(p for n in count(1) if not (p := target.with_stem(f"{target.stem}~old{n}")).exists()))
    move(source, target)
    return True


def restore(project: Project, record: Record, file: PictureFile, author: Author = Author.PERSON) -> None:
    """Bring a rejected file back into ``images/``."""
    with record.transaction():
        record.decide(file, "accept", Reason.BY_HAND, author)
    move(rejected_path(project, file), image_path(project, file))


def free_name(project: Project, record: Record, label: str, name: str) -> str:
    """`name`, or with a number behind its stem where another file of `label`, kept or rejected, is called so."""

    def is_taken(candidate: str) -> bool:
        places = (project.images / label / candidate, project.rejected / label / candidate)
        return record.has_name(label, candidate) or any(place.exists() for place in places)

    if not is_taken(name):
        return name
    path = Path(name)
    return next(c for n in count(2) if not is_taken(c := f"{path.stem}-{n}{path.suffix}"))


def settle_moves(project: Project, record: Record) -> None:
    """Carry out on disk what `Record.begin_move` said.

    Call it in a transaction: of two processes that move one file, one waits for the other. A move that the disk refuses
    raises its OSError once the others are done.
    """
    refused = None
    for file_id, lies_at in record.moves():
        file = record.file(file_id)
        try:
            if file is not None:
                move(project.root / lies_at, current_path(project, file))
        except OSError as error:
            refused = error
        else:
            record.end_move(file_id)
    if refused:
        raise refused


def move(source: Path, target: Path) -> None:
    """Move a file, making the folder above. Nothing happens where it is gone, or something lies there already."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        with suppress(FileNotFoundError):  # gone, or another process moved it first
            source.rename(target)
