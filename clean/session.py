"""What a person does on the review page, to one picture or to thousands: written down at once, undone and done again.

An action is one transaction: decisions, states, labels, where the files still lie, and what it takes to undo it all.
Then the disk follows; a kill in between is settled by the next action or the next `birds clean`.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..errors import ProjectError, UsageError
from ..files import Project
from ..moves import settle_moves
from ..record import Record, State
from .actions import Actions, Done

_WORDS = {"reject": "rejected", "keep": "kept", "different": "no duplicates"}


@dataclass(frozen=True)
class Outcome:
    """What an action came to.

    Attributes
    ----------
    said : one sentence for the person.
    files : ids of the files that changed.
    skipped : of each file that did not, why.
    """

    said: str
    files: tuple[int, ...] = ()
    skipped: tuple[str, ...] = ()


class Session:
    """What one person does while the page is open. Its methods may be called from any thread.

    They raise `UsageError` for pictures or classes that are not there, and `ProjectError` where of all the pictures
    none could be changed, or the disk refuses.

    Attributes
    ----------
    when_done : called when the person is done.
    """

    def __init__(self, project: Project) -> None:
        self.when_done: Callable[[], None] = lambda: None
        self._project = project
        self._decided = 0
        self._lock = threading.Lock()

    @property
    def decided(self) -> int:
        """Pictures decided about since this session began, without what was undone again."""
        return self._decided

    def reject(self, ids: Iterable[int]) -> Outcome:
        """Move pictures out of ``images/``."""
        return self.act("reject", ids)

    def keep(self, ids: Iterable[int]) -> Outcome:
        """Note that a person found them right; rejected ones come back."""
        return self.act("keep", ids)

    def move(self, ids: Iterable[int], label: str) -> Outcome:
        """Put pictures under another class, rejected ones too. No scrape brings them back under the old one."""
        return self.act("move", ids, label)

    def different(self, ids: Iterable[int]) -> Outcome:
        """Note that of a bundle of duplicates these are none."""
        return self.act("different", ids)

    def act(self, do: str, ids: Iterable[int], label: str | None = None) -> Outcome:
        """Carry out one of `actions.ACTIONS`; ``move`` needs the `label` of a class, ``best`` takes whole bundles."""
        with self._changing() as record:
            with record.transaction():
                done = Actions(self._project, record).do(do, ids, label)
                if not done.files:
                    return _nothing_changed(done)
                said = _sentence(record, done)
                record.review.add_action(said, done.details)
            self._follow(record)
            self._decided += len(done.files)
            return _outcome(said, done)

    def undo(self) -> Outcome | None:
        """Put everything back to what it was before the newest action that stands; None where none is left."""
        with self._changing() as record:
            with record.transaction():
                action = record.review.to_undo()
                if action is None:
                    return None
                done = Actions(self._project, record).take_back(action.changes)
                _note(record, action.id, done, is_undone=True)
            self._follow(record)
            self._decided = max(0, self._decided - len(done.files))  # what is undone may be older than the session
            return _outcome(f"Undone: {action.said}", done)

    def redo(self) -> Outcome | None:
        """Do again what was undone last; None where nothing is left, or something else was done since."""
        with self._changing() as record:
            with record.transaction():
                action = record.review.to_redo()
                if action is None:
                    return None
                asked = action.changes
                try:
                    done = Actions(self._project, record).do(asked["do"], asked["ids"], asked["label"])
                except UsageError as error:  # a class or a finding is gone: do not stand in the way of the rest
                    record.review.forget_action(action.id)
                    return Outcome(f"Not done again: {error.message}")
                _note(record, action.id, done, is_undone=False)
            self._follow(record)
            self._decided += len(done.files)
            return _outcome(f"Done again: {action.said}", done)

    @contextmanager
    def _changing(self) -> Iterator[Record]:
        with self._lock, Record(self._project) as record:
            yield record

    def _follow(self, record: Record) -> None:
        """Let the disk follow, also where a kill stopped it. One process at a time: two may move the same file."""
        try:
            with record.transaction():
                settle_moves(self._project, record)
        except OSError as error:
            raise ProjectError(
                f"It is written down, but a file cannot be moved: {error.strerror}.",
                "Look at the disk; the next decision, or the next birds clean, tries again.",
            ) from error


def _note(record: Record, action: int, done: Done, *, is_undone: bool) -> None:
    """Bring the log up to date; an action of which nothing is left does not stand in the way of those before it."""
    if done.files:
        record.review.mark_action(action, done.details, is_undone=is_undone)
    else:
        record.review.forget_action(action)


def _outcome(said: str, done: Done) -> Outcome:
    return Outcome(said, done.files, tuple(f"{error.message} {error.hint}" for error in done.skipped))


def _nothing_changed(done: Done) -> Outcome:
    if done.skipped:
        first, n = done.skipped[0], len(done.skipped) - 1
        raise ProjectError(f"{first.message} The same holds for {n} more." if n else first.message, first.hint)
    return Outcome("Nothing to change.")


def _sentence(record: Record, done: Done) -> str:
    do, files = done.details["do"], record.review.shown(done.files)
    if do == "best":
        kept = sum(file.state == State.STORED for file in files)
        return f"{kept} kept, {len(files) - kept} rejected."
    words = f"moved to {done.details['label']}" if do == "move" else _WORDS[do]
    return f"{files[0].name if len(files) == 1 else f'{len(files)} pictures'} {words}."
