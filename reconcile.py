"""What a person, a kill or an unplugged disk did to ``images/``, brought into the record before each stage.

By path, then by content: a renamed or moved file keeps its provenance, an edited one is a new content of the same
row, one added by hand has source ``local``. Files that vanished count as rejected by hand, unless so many are gone
that a disk is likelier than a decision.
"""

import os
import unicodedata
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .errors import ProjectError
from .files import Project, is_temporary, sha256_of
from .images import Content, sha256
from .looks import Looks, look_at
from .moves import image_path, move, rejected_path, settle_moves
from .progress import SILENT, Progress
from .reasons import Reason
from .record import Author, PictureFile, Provenance, Record, State

MAX_SHARE_MISSING = 0.2
_AT_A_TIME = 64  # pictures whose findings are written together


@dataclass(frozen=True)
class Changes:
    """What was found, in numbers of files."""

    added: int = 0
    moved: int = 0
    edited: int = 0
    removed: int = 0

    def __str__(self) -> str:
        parts = {"added": self.added, "moved or renamed": self.moved, "edited": self.edited, "removed": self.removed}
        return ", ".join(f"{n} {what}" for what, n in parts.items() if n)


def reconcile(project: Project, record: Record, *, accept_missing: bool = False) -> Changes:
    """Bring the record in line with ``images/``.

    Raises
    ------
    ProjectError : a fifth or more of a label's files vanished and `accept_missing` is not set.
    """
    with record.transaction():
        settle_moves(project, record)
    on_disk = _files_on_disk(project)
    edited = _settle_known(project, record, on_disk)
    everything = record.files()
    with record.transaction():  # what a person moved since we looked is no move by hand, back to where it was
        settle_moves(project, record)
    stored = [f for f in everything if f.state is State.STORED]
    # The review page holds no lock and may have moved files since: look again before calling one gone or new.
    # In this order: what is being restored just now is in one of the two places.
    gone = [
        f for f in stored
        if (f.label, f.name) not in on_disk and not rejected_path(project, f).exists()
        and not image_path(project, f).exists()
    ]  # fmt: skip
    known = {(f.label, f.name) for f in everything}  # a rejected one may be on its way back
    new = {key: path for key, path in on_disk.items() if key not in known and path.exists()}
    moved, added = _place_new(record, new, gone)
    _mark_missing(record, gone, accept_missing=accept_missing)
    return Changes(added=added, moved=moved, edited=edited, removed=len(gone))


def inspect_stored(project: Project, record: Record, progress: Progress = SILENT) -> list[PictureFile]:
    """The files in ``images/``; each that was not looked at yet is decoded once, on all cores, see `looks.look_at`."""
    known = record.looks.known()
    waiting = {
        file.picture: file  # of copies one is enough
        for file in record.files(State.STORED)
        if file.picture not in known and file.content.unreadable is None
    }
    if waiting:
        with progress.bar("looking at pictures", len(waiting)) as bar, ThreadPoolExecutor(os.cpu_count()) as pool:
            files = iter(waiting.values())
            while some := list(islice(files, _AT_A_TIME)):
                looked = list(pool.map(lambda file: _look_at(image_path(project, file), file), some))
                with record.transaction():  # short: the review page can write beside us
                    _remember(record, [(file, found) for file, found in zip(some, looked, strict=True) if found])
                bar.advance(len(some))
    return record.files(State.STORED)


def _look_at(path: Path, file: PictureFile) -> tuple[Content, Looks | None] | None:
    """None where the file was rejected or edited since it was listed."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return look_at(data) if sha256(data) == file.sha256 else None


def _remember(record: Record, looked: list[tuple[PictureFile, tuple[Content, Looks | None]]]) -> None:
    for file, (content, _) in looked:
        if content.sha256 == file.content.sha256:  # not encoded anew since it was fetched
            record.picture(content)
    record.looks.remember((file.picture, looks) for file, (_, looks) in looked if looks)


def _files_on_disk(project: Project) -> dict[tuple[str, str], Path]:
    """(label, name) -> path of every picture file; half-written ones of a killed run are removed."""
    found: dict[tuple[str, str], Path] = {}
    if not project.images.is_dir():
        return found
    for folder in sorted(project.images.iterdir()):
        if folder.is_symlink() or not folder.is_dir() or folder.name.startswith("."):
            continue
        label = unicodedata.normalize("NFC", folder.name)
        if label != folder.name:  # macOS and zip files write names decomposed
            folder = _rename_folder(folder, project.images / label)  # noqa: PLW2901
        for path in sorted(folder.iterdir()):
            if is_temporary(path):
                path.unlink(missing_ok=True)
            elif path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                found[label, path.name] = path
    return found


def _rename_folder(folder: Path, target: Path) -> Path:
    if target.exists() and target.samefile(folder):
        return folder  # a file system that does not tell the spellings apart
    if target.exists():
        raise ProjectError(
            f"images/ holds the folder {target.name!r} twice, in two Unicode spellings.", "Merge the two by hand."
        )
    return folder.rename(target)


def _settle_known(project: Project, record: Record, on_disk: dict[tuple[str, str], Path]) -> int:
    """Settle pending rows and unfinished moves; take over edits in place. Returns the number of edits."""
    edited = 0
    for file in record.files(State.PENDING, State.STORED, State.REJECTED, State.MISSING):
        try:
            edited += _settle(project, record, file, on_disk)
        except FileNotFoundError:  # the review page moved it this very moment, and has written down where to
            on_disk.pop((file.label, file.name), None)
    return edited


def _settle(project: Project, record: Record, file: PictureFile, on_disk: dict[tuple[str, str], Path]) -> bool:
    """Settle one file; says whether it was edited in place."""
    path = on_disk.get((file.label, file.name))
    # the review page may have moved it since we looked
    if path and (not path.exists() or file.state is State.REJECTED):
        file = record.file(file.id) or file
        if not path.exists():
            del on_disk[file.label, file.name]
            path = None
    if file.state is State.PENDING:
        if path and sha256_of(path) == file.sha256:
            record.update_file(file.id, state=State.STORED, mtime_ns=path.stat().st_mtime_ns)
        else:
            record.forget_file(file.id)
    elif file.state is State.REJECTED and path:
        if not rejected_path(project, file).exists() and sha256_of(path) == file.sha256:
            move(path, rejected_path(project, file))  # killed between the record and the disk
            del on_disk[file.label, file.name]
        elif path.exists():  # a person put another file of this name here
            _step_aside(project, record, file)
    elif file.state is State.STORED and not path and rejected_path(project, file).exists():
        move(rejected_path(project, file), image_path(project, file))  # a restore cut short
        on_disk[file.label, file.name] = image_path(project, file)
    elif file.state is State.MISSING and path:
        record.update_file(file.id, state=State.STORED, mtime_ns=None)  # it came back
        return _take_over_edit(record, file, path)
    elif file.state is State.STORED and path:
        return _take_over_edit(record, file, path)
    return False


def _step_aside(project: Project, record: Record, file: PictureFile) -> None:
    """Rename a rejected file so that a new one may have its name."""
    name = f"{Path(file.name).stem}~{file.id}{Path(file.name).suffix}"
    with suppress(FileNotFoundError):  # somebody emptied .birds/rejected
        rejected_path(project, file).rename(project.rejected / file.label / name)
    record.update_file(file.id, name=name)


def _take_over_edit(record: Record, file: PictureFile, path: Path) -> bool:
    stat = path.stat()
    if stat.st_mtime_ns == file.mtime_ns:
        return False
    sha256 = sha256_of(path)
    if sha256 == file.sha256:
        record.update_file(file.id, mtime_ns=stat.st_mtime_ns)
        return False
    picture = record.picture(Content(sha256=sha256, bytes=stat.st_size))
    record.update_file(file.id, sha256=sha256, picture=picture, mtime_ns=stat.st_mtime_ns)
    return True


def _place_new(record: Record, new: dict[tuple[str, str], Path], gone: list[PictureFile]) -> tuple[int, int]:
    """Give each new path the row of a vanished file with the same content, else a row of its own.

    Takes what it finds out of `gone`. Returns (moved, added).
    """
    vanished = defaultdict(list)
    for file in gone:
        vanished[file.sha256].append(file)
    moved = added = 0
    contents = {key: (sha256_of(path), path.stat()) for key, path in new.items()}  # slow: before the transaction
    with record.transaction():
        for (label, name), (sha256, stat) in contents.items():
            if candidates := vanished.get(sha256):
                file = candidates.pop(0)
                record.update_file(file.id, label=label, name=name, mtime_ns=stat.st_mtime_ns)
                gone.remove(file)
                moved += 1
            else:
                picture = record.picture(Content(sha256=sha256, bytes=stat.st_size))
                record.add_file(
                    label, name, sha256=sha256, picture=picture, provenance=Provenance(source="local"),
                    state=State.STORED, mtime_ns=stat.st_mtime_ns,
                )  # fmt: skip
                added += 1
    return moved, added


def _mark_missing(record: Record, gone: list[PictureFile], *, accept_missing: bool) -> None:
    total = record.counts()
    by_label = defaultdict(list)
    for file in gone:
        by_label[file.label].append(file)
    for label, files in by_label.items():
        if not accept_missing and len(files) >= MAX_SHARE_MISSING * total[label]:
            raise ProjectError(
                f"{len(files)} of the {total[label]} pictures of {label!r} are gone from images/.",
                "Bring them back (an unplugged disk?), or pass --accept-missing if you removed them on purpose.",
            )
    with record.transaction():
        for file in gone:
            now = record.file(file.id)
            if now and now.state is State.STORED:  # not rejected on the review page since
                record.decide(file, "reject", Reason.BY_HAND, Author.PERSON)
                record.update_file(file.id, state=State.MISSING)
