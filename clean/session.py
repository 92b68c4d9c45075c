"""What one person decides while a review page is open: written to the record and the disk at once, and undone again.

The newest decision is undone first, back to what the picture was before, its reason and who gave it included.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ProjectError, UsageError
from ..files import Project
from ..moves import image_path, reject, rejected_path, restore
from ..reasons import Reason
from ..record import Author, PictureFile, Record, State

SHOWN = (State.STORED, State.REJECTED)


@dataclass(frozen=True)
class Outcome:
    """A file after a decision, and its class in numbers of files."""

    file: PictureFile
    kept: int
    rejected: int


class Session:
    """What one person decides while the page is open. Its methods may be called from any thread.

    Attributes
    ----------
    opened : labels of the classes that were shown.
    when_done : called when the person is done.
    """

    def __init__(self, project: Project) -> None:
        self.opened: set[str] = set()
        self.when_done: Callable[[], None] = lambda: None
        self._project = project
        self._before: list[PictureFile] = []  # each decided file as it was, the newest last
        self._lock = threading.Lock()

    @property
    def decided(self) -> int:
        """Decisions made and not undone."""
        return len(self._before)

    def decide(self, file_id: int, *, is_rejected: bool) -> Outcome:
        """Reject or restore a file. One that is so already stays so, and that is no decision.

        Raises
        ------
        UsageError : there is no such file.
        ProjectError : the file cannot be moved.
        """
        with self._lock, Record(self._project) as record:
            file = shown_file(record, file_id)
            if (file.state is State.REJECTED) != is_rejected:
                if not is_rejected:
                    self._restore(record, file, Author.PERSON)
                    self._before.append(file)
                elif self._reject(record, file, Reason.BY_HAND, Author.PERSON):
                    self._before.append(file)
            return _outcome(record, file_id)

    def undo(self) -> Outcome | None:
        """Bring the file decided last back to what it was; None if no decision is left. Raises like `decide`."""
        with self._lock, Record(self._project) as record:
            if not self._before:
                return None
            before = self._before[-1]
            file = shown_file(record, before.id)
            if file.state is not before.state:
                if before.state is State.REJECTED:
                    self._reject(record, file, before.reason or Reason.BY_HAND, before.author or Author.PERSON)
                else:  # not in the person's name: an automatic check that would have rejected it still may
                    self._restore(record, file, before.author or Author.AUTO)
            self._before.pop()
            return _outcome(record, before.id)

    def _reject(self, record: Record, file: PictureFile, reason: Reason, author: Author) -> bool:
        self._check_way(file, is_rejected=True)
        return reject(self._project, record, file, reason, author)

    def _restore(self, record: Record, file: PictureFile, author: Author) -> None:
        self._check_way(file, is_rejected=False)
        restore(self._project, record, file, author)

    def _check_way(self, file: PictureFile, *, is_rejected: bool) -> None:
        """Refuse a decision that the disk could not follow: record and disk would tell two stories."""
        source, target = image_path(self._project, file), rejected_path(self._project, file)
        if not is_rejected:
            source, target = target, source
        if not source.is_file():
            raise ProjectError(f"{source} is gone.", "Run birds clean again to take stock of what is there.")
        if target.exists():
            raise ProjectError(f"There is another file at {target}.", "Rename that one, then try again.")


def shown_file(record: Record, file_id: int) -> PictureFile:
    """The file with this id. Raises `UsageError` where there is none, or it is neither stored nor rejected."""
    file = record.file(file_id)
    if file is None or file.state not in SHOWN:
        raise UsageError("This picture is no longer in the record.", "Reload the page.")
    return file


def _outcome(record: Record, file_id: int) -> Outcome:
    file = shown_file(record, file_id)
    kept, rejected = (record.counts(state).get(file.label, 0) for state in SHOWN)
    return Outcome(file, kept, rejected)
