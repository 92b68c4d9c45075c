"""The record's tables of what waits for a person, and of what a person did that can be undone.

findings   what the checks found of a file, and how bad it is; replaced by each `birds clean`
guesses    what a classifier takes a file for, see clean/labels.py
different  pairs of pictures that a person called no duplicates
actions    what was done on the review page, with what it takes to undo it, across restarts
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .reasons import Reason

_AT_A_TIME = 500  # SQLite of 2019 takes 999 values a statement


@dataclass(frozen=True)
class Finding:
    """What is the matter with one file.

    Attributes
    ----------
    score : 0 (bad) to 1; queues show the lowest first.
    bundle : the same number for files that are duplicates of each other.
    is_best : of its bundle this is the copy to keep.
    """

    file: int
    reason: Reason
    score: float
    bundle: int | None = None
    is_best: bool = False


@dataclass(frozen=True)
class Guess:
    """What a classifier that never saw a file takes it for.

    Attributes
    ----------
    predicted, confidence : the most probable label and its probability.
    label_quality : how well the label that it has fits, 0 to 1.
    is_suspected : whether a person should look.
    """

    predicted: str
    confidence: float
    label_quality: float
    is_suspected: bool


@dataclass(frozen=True)
class Action:
    """One thing a person did, perhaps to many files. ``changes`` is what ``clean/actions.py`` needs to undo it."""

    id: int
    said: str
    changes: Any


class Shown(NamedTuple):
    """What a person may see of a stored or rejected file; built by the ten thousand, so no dataclass.

    Of a file of the test part nobody sees what a classifier takes it for, nor any score: the three fields of a `Guess`
    and ``scores`` are None.

    Attributes
    ----------
    verdict, reason, decider : of the newest decision, as the record has them.
    scores : JSON, check -> 0 (bad) to 1.
    """

    id: int
    label: str
    name: str
    state: str
    sha256: str
    picture: int
    source: str
    page_url: str | None
    added_at: str
    width: int | None
    height: int | None
    part: str | None
    verdict: str | None
    reason: str | None
    decider: str | None
    predicted: str | None
    confidence: float | None
    label_quality: float | None
    scores: str | None


_SELECT_SHOWN = """
SELECT f.id, f.label, f.name, f.state, f.sha256, f.picture, f.source, f.page_url, f.added_at, p.width, p.height, s.part,
       d.verdict, d.reason, d.author, g.predicted, g.confidence, g.label_quality, l.scores
FROM files f JOIN pictures p ON p.id = f.picture
LEFT JOIN splits s ON s.file = f.id
LEFT JOIN decisions d ON d.id = (SELECT max(id) FROM decisions WHERE picture = f.picture AND label = f.label)
LEFT JOIN guesses g ON g.file = f.id AND g.label = f.label AND s.part IS NOT 'test'
LEFT JOIN looks l ON l.picture = f.picture AND s.part IS NOT 'test'
WHERE f.state IN ('stored', 'rejected')
"""


class ReviewTables:
    """Reads and writes the tables above. Made by `Record`, whose connection it shares; `Record.transaction` holds."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    # -- what is shown

    def shown(self, ids: Iterable[int] | None = None, *, label: str = "") -> list[Shown]:
        """All stored and rejected files, those of `label`, or those that have one of `ids`; in no order."""
        if ids is None:
            where, values = ("AND f.label = ?", (label,)) if label else ("", ())
            return [Shown._make(row) for row in self._db.execute(f"{_SELECT_SHOWN} {where}", values)]
        wanted, found = list(ids), []
        for start in range(0, len(wanted), _AT_A_TIME):
            some = wanted[start : start + _AT_A_TIME]
            marks = ", ".join("?" * len(some))
            found += [Shown._make(row) for row in self._db.execute(f"{_SELECT_SHOWN} AND f.id IN ({marks})", some)]
        return found

    # -- findings and guesses

    def replace_findings(self, findings: Iterable[Finding]) -> None:
        """Forget what was found before; of several findings alike the worst stays."""
        self._db.execute("DELETE FROM findings")
        self._db.executemany(
            """INSERT INTO findings (file, reason, score, bundle, is_best) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (file, reason) DO UPDATE SET score = min(score, excluded.score)""",
            ((f.file, f.reason, f.score, f.bundle, f.is_best) for f in findings),
        )

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Put back findings that were forgotten."""
        self._db.executemany(
            "INSERT OR REPLACE INTO findings (file, reason, score, bundle, is_best) VALUES (?, ?, ?, ?, ?)",
            ((f.file, f.reason, f.score, f.bundle, f.is_best) for f in findings),
        )

    def findings(self) -> list[Finding]:
        """All of them, bundles together, the worst first."""
        rows = self._db.execute("SELECT * FROM findings ORDER BY reason, bundle, score, file")
        return [
            Finding(row["file"], Reason(row["reason"]), row["score"], row["bundle"], bool(row["is_best"]))
            for row in rows
        ]

    def forget_finding(self, file: int, reason: Reason) -> None:
        """A person settled it."""
        self._db.execute("DELETE FROM findings WHERE file = ? AND reason = ?", (file, reason))

    def replace_guesses(self, guesses: Iterable[tuple[int, str, Guess]]) -> None:
        """Forget the guesses made before; new ones are given as (file id, its label, guess)."""
        self._db.execute("DELETE FROM guesses")
        self._db.executemany(
            """INSERT INTO guesses (file, label, predicted, confidence, label_quality, is_suspected)
            VALUES (?, ?, ?, ?, ?, ?)""",
            ((file, label, g.predicted, g.confidence, g.label_quality, g.is_suspected) for file, label, g in guesses),
        )

    def guesses(self) -> dict[int, Guess]:
        """By file id; without those about files that have another label by now."""
        rows = self._db.execute("SELECT g.* FROM guesses g JOIN files f ON f.id = g.file AND f.label = g.label")
        return {
            row["file"]: Guess(row["predicted"], row["confidence"], row["label_quality"], bool(row["is_suspected"]))
            for row in rows
        }

    # -- not a duplicate

    def remember_different(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Note that the two pictures of each pair of ids are no duplicates of each other."""
        ordered = (tuple(sorted(pair)) for pair in pairs)
        self._db.executemany("INSERT OR IGNORE INTO different (first, second) VALUES (?, ?)", ordered)

    def forget_different(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Take that back."""
        self._db.executemany(
            "DELETE FROM different WHERE first = ? AND second = ?", (tuple(sorted(pair)) for pair in pairs)
        )

    def different_pairs(self) -> set[tuple[int, int]]:
        """Pairs (a, b), a < b, of picture ids that a person called no duplicates."""
        return {(row["first"], row["second"]) for row in self._db.execute("SELECT first, second FROM different")}

    # -- actions

    def add_action(self, said: str, changes: Any) -> int:
        """Write down what was done; what had been undone before cannot be done again any more."""
        self._db.execute("DELETE FROM actions WHERE is_undone")
        cursor = self._db.execute(
            "INSERT INTO actions (said, changes, is_undone, done_at) VALUES (?, ?, 0, ?)",
            (said, json.dumps(changes), datetime.now(UTC).isoformat(timespec="seconds")),
        )
        return int(cursor.lastrowid or 0)

    def to_undo(self) -> Action | None:
        """The newest action that stands."""
        return self._action("WHERE NOT is_undone ORDER BY id DESC LIMIT 1")

    def to_redo(self) -> Action | None:
        """The action that was undone last."""
        return self._action("WHERE is_undone ORDER BY id LIMIT 1")

    def mark_action(self, action: int, changes: Any, *, is_undone: bool) -> None:
        """It was undone, or done again; `changes` as they are now."""
        self._db.execute(
            "UPDATE actions SET is_undone = ?, changes = ? WHERE id = ?", (is_undone, json.dumps(changes), action)
        )

    def forget_action(self, action: int) -> None:
        """Nothing is left of it that could be undone or done again."""
        self._db.execute("DELETE FROM actions WHERE id = ?", (action,))

    def _action(self, clause: str) -> Action | None:
        row = self._db.execute(f"SELECT id, said, changes FROM actions {clause}").fetchone()  # noqa: S608 - ours
        return Action(row["id"], row["said"], json.loads(row["changes"])) if row else None
