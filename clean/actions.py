"""What an action on the review page writes into the record, file by file, and how it is taken back.

Everything here happens inside one transaction of the caller, `session.Session`, which lets the disk follow.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from ..errors import ModelError, ProjectError, UsageError
from ..files import Project
from ..models.runs import find_run
from ..moves import current_path, free_name
from ..reasons import Reason
from ..record import Author, PictureFile, Record, State
from ..record_review import Finding, Shown

ACTIONS = ("reject", "keep", "best", "move", "different")
SHOWN = (State.STORED, State.REJECTED)
_COLUMNS = ("label", "name", "state")

# What the log keeps of an action, as JSON: what was asked for ("do", "ids", "label"), and "files", each with its "id",
# the "decisions" written and of its row what changed, "before" and "after"; for "different" the "pairs", the "findings"
# forgotten, and the "others" of their bundles.
Details = dict[str, Any]


class SkippedError(ProjectError):
    """One file stays as it is."""


@dataclass(frozen=True)
class Done:
    """What came of an action: details for the log, and of each file that was skipped why."""

    details: Details
    skipped: tuple[SkippedError, ...] = ()

    @property
    def files(self) -> tuple[int, ...]:
        """Ids of the files it concerned."""
        return tuple(change["id"] for change in self.details["files"])


def is_reviewed(file: Shown) -> bool:
    """Whether a person decided what it is now. A copy of the same picture may have been decided otherwise."""
    return file.decider == Author.PERSON and (file.verdict == "reject") == (file.state == State.REJECTED)


class Actions:
    """The actions, to be used inside a transaction."""

    def __init__(self, project: Project, record: Record) -> None:
        self._project = project
        self._record = record
        self._in_transit = dict(record.moves())  # what the disk did not take yet
        self._parts = record.split_parts()
        # what is decided about a test picture once a run is finished may come of that run's results
        self._run = _newest_run(project) if "test" in self._parts.values() else None

    def do(self, do: str, ids: Iterable[int], label: str | None) -> Done:
        """Carry out one of `ACTIONS`. Raises `UsageError` where it makes no sense, before anything is written."""
        ids = list(dict.fromkeys(ids))
        files = [file for one in ids if (file := self._record.file(one)) and file.state in SHOWN]
        if not files:
            raise UsageError("This picture is no longer in the record.", "Reload the page.")
        if do == "different":
            return self._tell_apart(files)
        if do == "move" and (label is None or label not in self._record.counts() | self._record.counts(State.REJECTED)):
            raise UsageError(f"There is no class {label!r}.", "Move pictures to a class that is in the list.")
        verdicts = self._best_and_others(files) if do == "best" else dict.fromkeys((file.id for file in files), do)
        reviewed = {row.id for row in self._record.review.shown(verdicts) if is_reviewed(row)}
        changes, skipped = [], []
        # the best copies last: of copies alike, byte for byte, the newest decision counts for all
        for file in sorted(files, key=lambda file: verdicts.get(file.id) == "keep"):
            try:
                change = self._change(verdicts.get(file.id), file, label, is_settled=file.id in reviewed)
                changes += [change] if change else []
            except SkippedError as error:
                skipped.append(error)
        return Done({"do": do, "ids": ids, "label": label, "files": changes}, tuple(skipped))

    def take_back(self, details: Details) -> Done:
        """Undo what the log says; what was changed elsewhere since stays as it is."""
        undone, skipped = [], []
        for change in details["files"]:
            file = self._record.file(change["id"])
            try:
                if file is None or any(getattr(file, column) != was for column, was in change["after"].items()):
                    name = f"{file.label}/{file.name}" if file else "A picture"
                    raise SkippedError(f"{name} was changed elsewhere since.", "It stays as it is.")
                self._place(file, **change["before"])
            except SkippedError as error:
                skipped.append(error)
            else:
                self._record.withdraw(change["decisions"])
                undone.append(change)
        self._record.review.forget_different(details.get("pairs", ()))
        self._record.review.add_findings(self._still_apt(details))
        return Done({**details, "files": undone}, tuple(skipped))

    def _change(self, verdict: str | None, file: PictureFile, label: str | None, *, is_settled: bool) -> Details | None:
        """Write down the verdict on one file; None if it says nothing new."""
        record, run = self._record, self._run if self._parts.get(file.id) == "test" else None
        if verdict == "move" and label is not None:
            if file.label == label:
                return None
            self._place(file, label=label, name=free_name(self._project, record, label, file.name), state=State.STORED)
            decisions = [record.decide(file, "reject", Reason.MOVED, Author.PERSON, after_run=run)]
            decisions.append(record.decide(self._now(file), "accept", Reason.BY_HAND, Author.PERSON, after_run=run))
        elif verdict is None:
            return None
        else:
            state = State.REJECTED if verdict == "reject" else State.STORED
            if is_settled and file.state is state:
                return None
            self._place(file, state=state)
            reason = file.reason if file.reason and verdict == "reject" else Reason.BY_HAND  # agrees with the check
            word = "reject" if verdict == "reject" else "accept"
            decisions = [record.decide(file, word, reason, Author.PERSON, after_run=run)]
        after = self._now(file)
        return {
            "id": file.id,
            "decisions": decisions,
            "before": {column: getattr(file, column) for column in _COLUMNS},
            "after": {column: getattr(after, column) for column in _COLUMNS},
        }

    def _now(self, file: PictureFile) -> PictureFile:
        now = self._record.file(file.id)
        assert now is not None
        return now

    def _place(
        self, file: PictureFile, *, label: str | None = None, name: str | None = None, state: str | None = None
    ) -> None:
        """Give a file its place in the record, and note from where the disk has to move it."""
        label, name, state = label or file.label, name or file.name, state or file.state
        target = (self._project.rejected if state == State.REJECTED else self._project.images) / label / name
        source = current_path(self._project, file)
        if not source.is_file() and file.id in self._in_transit:
            source = self._project.root / self._in_transit[file.id]
        if source == target == current_path(self._project, file):
            return
        if not source.is_file() or source.is_symlink() or source.parent.is_symlink():
            message = f"{source} is gone, or stands behind a link."
            raise SkippedError(message, "Run birds clean again to take stock of what is there.")
        has_other_name = (label, name) != (file.label, file.name)
        is_taken = has_other_name and self._record.has_name(label, name)
        if is_taken or (source != target and (target.exists() or target.parent.is_symlink())):
            raise SkippedError(f"There is another file at {target}.", "Rename that one, then try again.")
        self._record.begin_move(file.id, label, name, self._below_root(source))
        self._record.update_file(file.id, state=state)

    def _below_root(self, path: Path) -> str:
        return path.relative_to(self._project.root).as_posix()

    def _findings(self, files: Sequence[PictureFile]) -> list[Finding]:
        """Those that say that some of `files` are duplicates."""
        ids = {file.id for file in files}
        return [one for one in self._record.review.findings() if one.file in ids and one.bundle is not None]

    def _still_apt(self, details: Details) -> list[Finding]:
        """The findings that "different" took away, but for bundles that `birds clean` has numbered anew since."""
        now = defaultdict(set)
        for one in self._record.review.findings():
            now[one.bundle].add(one.file)
        findings = [Finding(file, Reason(reason), *rest) for file, reason, *rest in details.get("findings", ())]
        return [one for one in findings if now[one.bundle] <= set(details["others"])]

    def _best_and_others(self, files: Sequence[PictureFile]) -> dict[int, str]:
        """File id -> keep or reject, for files of bundles whose best copy is among them."""
        bundles: dict[int | None, dict[int, bool]] = defaultdict(dict)
        for one in self._findings(files):
            bundles[one.bundle][one.file] = one.is_best or bundles[one.bundle].get(one.file, False)
        whole = [bundle for bundle in bundles.values() if any(bundle.values())]
        if not whole:
            raise UsageError("None of these is proposed to keep.", "Reject those that you do not want, one by one.")
        verdicts = {file: "reject" for bundle in whole for file in bundle}
        return verdicts | {file: "keep" for bundle in whole for file, is_best in bundle.items() if is_best}

    def _tell_apart(self, files: Sequence[PictureFile]) -> Done:
        """Note that files that stand in one bundle are no duplicates of each other."""
        findings = self._findings(files)
        picture = {file.id: file.picture for file in files}
        bundles: dict[int | None, set[int]] = defaultdict(set)
        for finding in findings:
            bundles[finding.bundle].add(picture[finding.file])
        known = self._record.review.different_pairs()
        pairs = {pair for bundle in bundles.values() for pair in combinations(sorted(bundle), 2)} - known
        if not pairs:
            raise UsageError("These are not duplicates of each other, or they are alike byte for byte.", "Reject some.")
        self._record.review.remember_different(pairs)
        for finding in findings:
            self._record.review.forget_finding(finding.file, finding.reason)
        touched = sorted({finding.file for finding in findings})
        others = {one.file for one in self._record.review.findings() if one.bundle in bundles}
        return Done(
            {
                "do": "different",
                "ids": touched,
                "label": None,
                "files": [{"id": one, "decisions": [], "before": {}, "after": {}} for one in touched],
                "pairs": sorted(pairs),
                "others": sorted(others),
                "findings": [(f.file, f.reason, f.score, f.bundle, f.is_best) for f in findings],
            }
        )


def _newest_run(project: Project) -> str | None:
    try:
        return find_run(project).name
    except ModelError:
        return None
