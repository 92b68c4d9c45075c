"""What stands in each queue of the review page, in which order, and how many: from the record alone, for all pictures.

A queue holds what a person has not decided yet. Of pictures of the test part nothing here depends on a classifier or
a score: where others are sorted by one, they come last and shuffled, so that nobody tidies the test to suit the model.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any

from ..errors import UsageError
from ..reasons import Reason
from ..record import Record, State
from ..record_review import Finding, Shown
from ..species import find, fold
from .actions import is_reviewed

QUEUES = ("all", "suspected", "duplicates", "conflicts", "quality", "test", "rejected")
STATES = ("kept", "rejected", "reviewed", "unreviewed")
_BUNDLED = {"duplicates": (Reason.NEAR_DUPLICATE, Reason.EXACT_COPY), "conflicts": (Reason.LABEL_CONFLICT,)}
ELSEWHERE = {Reason.SUSPECTED_LABEL, *(reason for reasons in _BUNDLED.values() for reason in reasons)}
_DIGITS = re.compile("[0-9]+")


@dataclass(frozen=True)
class View:
    """What a person wants to see; an empty text is no wish.

    Attributes
    ----------
    queue : one of `QUEUES`.
    sort : ``name``, ``added``, ``size``, ``label_quality``, ``confidence`` or ``score:`` and a check, with ``-`` in
        front from the highest down. The test part is shown in random order, and bundles in their own.
    state : one of `STATES`.
    source, reason : where the picture is from, what is the matter with it.
    """

    queue: str = "all"
    label: str = ""
    sort: str = ""
    state: str = ""
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Listing:
    """Ids of files in the order to show, and, where duplicates stand together, how many are in each bundle."""

    ids: list[int]
    bundles: list[int]


class Stock:
    """All stored and rejected files of a record, or those that `view` is about, as they were when this was made."""

    def __init__(self, record: Record, view: View | None = None) -> None:
        label = view.label if view and view.queue not in _BUNDLED else ""  # bundles are whole, of other classes too
        self._files = {row.id: row for row in record.review.shown(label=label)}
        self._findings = [one for one in record.review.findings() if one.file in self._files and self._is_open(one)]

    def _is_open(self, finding: Finding) -> bool:
        return finding.reason is not Reason.SUSPECTED_LABEL or self._files[finding.file].part != "test"

    # -- one queue

    def listing(self, view: View) -> Listing:
        """What `view` asks for. Raises `UsageError` for words that are none of ours."""
        if view.queue not in QUEUES or view.state not in ("", *STATES):
            raise UsageError(f"There is no queue {view.queue!r}, or no state {view.state!r}.", "Reload the page.")
        matches = self._filter(view)
        if view.queue in _BUNDLED:
            bundles = [one for one in self._bundles(_BUNDLED[view.queue]) if any(matches(file) for file in one)]
            return Listing([file.id for one in bundles for file in one], [len(one) for one in bundles])
        files = [file for file in self._queue(view.queue) if matches(file)]
        return Listing([file.id for file in self._in_order(files, view)], [])

    def _queue(self, queue: str) -> Iterable[Shown]:
        everything = self._files.values()
        if queue == "all":
            return everything
        if queue == "test":
            return [file for file in everything if file.part == "test"]
        if queue == "rejected":
            return [file for file in everything if file.state == State.REJECTED]
        return [self._files[one] for one in self._worst[queue]]

    @cached_property
    def _worst(self) -> dict[str, dict[int, float]]:
        """Queue -> file that waits in it -> its worst score."""
        waiting: dict[str, dict[int, float]] = {"suspected": {}, "quality": {}}
        for finding in self._findings:
            file = self._files[finding.file]
            if file.state == State.STORED and not is_reviewed(file):
                if finding.reason is Reason.SUSPECTED_LABEL:
                    waiting["suspected"][file.id] = finding.score
                elif finding.reason not in ELSEWHERE:
                    worst = waiting["quality"].get(file.id, finding.score)
                    waiting["quality"][file.id] = min(worst, finding.score)
        return waiting

    def _bundles(self, reasons: Iterable[Reason]) -> list[list[Shown]]:
        """Files that are duplicates of each other, the one to keep first, while there is something to decide."""
        together: dict[int, dict[int, bool]] = defaultdict(dict)
        for finding in self._findings:
            if finding.reason in reasons and finding.bundle is not None:
                bundle = together[finding.bundle]
                bundle[finding.file] = finding.is_best or bundle.get(finding.file, False)
        found = []
        for _, bundle in sorted(together.items()):
            files = [self._files[one] for one in bundle if self._files[one].state == State.STORED]
            is_conflict = Reason.LABEL_CONFLICT in reasons
            is_open = len({file.label for file in files} if is_conflict else files) > 1
            if is_open and not all(is_reviewed(file) for file in files):
                found.append(
                    sorted(files, key=lambda file: (not bundle[file.id], fold(file.label), _counting(file.name)))
                )
        return found

    def _filter(self, view: View) -> Callable[[Shown], bool]:
        having = {one.file for one in self._findings if one.reason == view.reason}

        def matches(file: Shown) -> bool:
            if view.label and file.label != view.label:
                return False
            if view.source and file.source != view.source:
                return False
            if view.reason and file.id not in having and not (file.verdict == "reject" and file.reason == view.reason):
                return False
            if view.state in ("kept", "rejected"):
                return (file.state == State.REJECTED) == (view.state == "rejected")
            return not view.state or is_reviewed(file) == (view.state == "reviewed")

        return matches

    # -- order

    def _in_order(self, files: list[Shown], view: View) -> list[Shown]:
        if view.queue == "test":
            return sorted(files, key=_shuffled)
        key, is_descending = view.sort.removeprefix("-"), view.sort.startswith("-")
        if not key and view.queue in self._worst:
            worst = self._worst[view.queue]
            return _by_value(files, lambda file: worst[file.id] if file.part != "test" else None)
        if key in ("label_quality", "confidence"):
            return _by_value(files, lambda file: getattr(file, key), is_descending=is_descending)
        if key.startswith("score:"):
            check = key.removeprefix("score:")

            def score(file: Shown) -> float | None:
                value: float | None = json.loads(file.scores).get(check) if file.scores else None
                return value

            return _by_value(files, score, is_descending=is_descending)
        if key not in ("", "name", "added", "size"):
            raise UsageError(f"Pictures cannot be sorted by {key!r}.", "Reload the page.")
        folded = {label: fold(label) for label in {file.label for file in files}}
        files.sort(key=lambda file: (folded[file.label], _counting(file.name)))
        if key == "added":
            files.sort(key=lambda file: file.added_at, reverse=is_descending)
        elif key == "size":
            files.sort(key=lambda file: (file.width or 0) * (file.height or 0), reverse=is_descending)
        return files[::-1] if is_descending and key == "name" else files

    # -- everything in numbers

    def overview(self) -> dict[str, Any]:
        """Classes and queues with their counts, and what there is to filter and sort by."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for file in self._files.values():
            of_class = counts[file.label]
            of_class["rejected" if file.state == State.REJECTED else "kept"] += 1
            if is_reviewed(file):
                of_class["reviewed"] += 1
            elif file.state == State.STORED:  # what an automatic check rejected needs no second look
                of_class["waiting"] += 1
        some = islice((file.scores for file in self._files.values() if file.scores), 100)  # the same for nearly all
        return {
            "classes": [_class(label, counts[label]) for label in sorted(counts, key=fold)],
            "queues": {queue: self._count(queue) for queue in QUEUES},
            "sources": sorted({file.source for file in self._files.values()}),
            "reasons": sorted({finding.reason for finding in self._findings}),
            "checks": sorted({check for scores in some for check in json.loads(scores)}),
        }

    def _count(self, queue: str) -> int:
        if queue in _BUNDLED:
            return sum(len(bundle) for bundle in self._bundles(_BUNDLED[queue]))
        return sum(1 for _ in self._queue(queue))


def _class(label: str, count: Counter[str]) -> dict[str, Any]:
    species = find(label)
    return {
        "label": label,
        **{name: count[name] for name in ("kept", "rejected", "reviewed", "waiting")},
        "names": [species.english, species.scientific] if species else [],
    }


def _by_value(
    files: list[Shown], value: Callable[[Shown], float | None], *, is_descending: bool = False
) -> list[Shown]:
    """From the lowest up, or the highest down; those without a value last, in an order that says nothing."""
    values = {file.id: one for file in files if (one := value(file)) is not None}
    valued = sorted((file for file in files if file.id in values), key=lambda file: values[file.id])
    return valued[:: -1 if is_descending else 1] + sorted((f for f in files if f.id not in values), key=_shuffled)


def _shuffled(file: Shown) -> bytes:
    """Sort key that follows from the content and says nothing about it: the same order after a restart."""
    return sha256(f"birds {file.sha256} {file.id}".encode()).digest()


def _counting(name: str) -> str:
    """Sort key under which ``loro2`` comes before ``loro10``."""
    return _DIGITS.sub(lambda digits: digits[0].zfill(12), name)
