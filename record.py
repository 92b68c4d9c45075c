"""The SQLite record of every picture: where it came from, why it was refused, which part of the split it is in.

    pictures   one row per distinct content (SHA-256 of the original bytes)
    files      one row per file of images/, with its provenance and state
    decisions  what was decided about a picture under a label, by whom; the newest one counts
    attempts   URLs tried, with the reason of failure, so that no run asks twice for what cannot come
    searches   searches that were carried through, so that `birds run` knows what is up to date
    splits     which part of the newest split each file is in
    looks      what one decode found of each picture (`record_looks.py`)
    findings, guesses, different, actions: what waits for a person, what a person did (`record_review.py`)
    moves      files on their way to another label

Order of writing: a row ``pending`` with its final name, then the file, then ``stored``; a rejection first in the
record, then on disk. ``reconcile.py`` settles at the next run what a kill left in between.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self

from .errors import ProjectError
from .files import Project
from .images import Content
from .reasons import Reason
from .record_files import PROVENANCE, SELECT_FILES, Author, DecisionAfterRun, PictureFile, Provenance, State, file_of
from .record_looks import LooksTable
from .record_review import ReviewTables
from .record_tables import OtherVersionError, connect

__all__ = ["Author", "DecisionAfterRun", "PictureFile", "Provenance", "Record", "State"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _hex(value: int | None) -> str | None:
    return None if value is None else f"{value:016x}"  # SQLite's integers are signed


class Record:
    """The record of one project. A context manager; one connection, usable from the thread that made it.

    Attributes
    ----------
    looks, review : its tables of what was found in the pictures, and of what a person has to do with them.

    Raises
    ------
    ProjectError : the file is no record, was written by a newer birds, or cannot be written.
    """

    def __init__(self, project: Project) -> None:
        path = project.record
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = connect(path)
        except OtherVersionError as error:
            raise ProjectError(f"The record {path} {error}.", "Use the birds that wrote it, or a newer one.") from error
        except (OSError, sqlite3.Error) as error:
            raise ProjectError(
                f"The record {path} cannot be opened: {error}.",
                "Check the disk, or start in another folder with --project.",
            ) from error
        self.looks = LooksTable(self._db)
        self.review = ReviewTables(self._db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what the block writes is kept when it ends well, and none of it otherwise."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- pictures

    def picture(self, content: Content) -> int:
        """The id of the picture with this content, added or completed."""
        row = self._db.execute(
            """INSERT INTO pictures (sha256, bytes, format, width, height, phash, mirror_phash, unreadable)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (sha256) DO UPDATE SET format = coalesce(excluded.format, format),
                width = coalesce(excluded.width, width), height = coalesce(excluded.height, height),
                phash = coalesce(excluded.phash, phash), mirror_phash = coalesce(excluded.mirror_phash, mirror_phash),
                unreadable = coalesce(excluded.unreadable, unreadable)
            RETURNING id""",
            (
                content.sha256, content.bytes, content.format, content.width, content.height,
                _hex(content.phash), _hex(content.mirror_phash), content.unreadable,
            ),
        ).fetchone()  # fmt: skip
        return int(row["id"])

    def has_name(self, label: str, name: str) -> bool:
        """Whether a file of `label`, whatever its state, is called `name`."""
        query = "SELECT 1 FROM files WHERE label = ? AND name = ?"
        return self._db.execute(query, (label, name)).fetchone() is not None

    def knows(self, label: str, original_sha256: str) -> bool:
        """Whether a picture with this original content was ever a file of `label`, rejected or moved since or not."""
        row = self._db.execute(
            """SELECT 1 FROM pictures p WHERE p.sha256 = ? AND (
                EXISTS (SELECT 1 FROM files f WHERE f.picture = p.id AND f.label = ?)
                OR EXISTS (SELECT 1 FROM decisions d WHERE d.picture = p.id AND d.label = ?))""",
            (original_sha256, label, label),
        ).fetchone()
        return row is not None

    # -- files

    def add_file(
        self,
        label: str,
        name: str,
        *,
        sha256: str,
        picture: int,
        provenance: Provenance,
        state: State,
        mtime_ns: int | None = None,
    ) -> int:
        """A new file row; returns its id."""
        columns = ("label", "name", "state", "sha256", "picture", "mtime_ns", *PROVENANCE, "added_at")
        values = (label, name, state, sha256, picture, mtime_ns, *(getattr(provenance, c) for c in PROVENANCE), _now())
        marks = ", ".join("?" * len(columns))
        cursor = self._db.execute(f"INSERT INTO files ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608 - constants
        return int(cursor.lastrowid or 0)

    def update_file(self, file_id: int, **columns: str | int | None) -> None:
        """Change columns of one file row (label, name, state, sha256, picture, mtime_ns)."""
        assert columns.keys() <= {"label", "name", "state", "sha256", "picture", "mtime_ns"}
        changes = ", ".join(f"{column} = ?" for column in columns)
        self._db.execute(f"UPDATE files SET {changes} WHERE id = ?", (*columns.values(), file_id))  # noqa: S608 - constants

    def forget_file(self, file_id: int) -> None:
        """Remove the row of a file that never came to be."""
        for table in ("splits", "findings", "guesses", "moves"):
            self._db.execute(f"DELETE FROM {table} WHERE file = ?", (file_id,))  # noqa: S608 - constants
        self._db.execute("DELETE FROM files WHERE id = ?", (file_id,))

    def files(self, *states: State, label: str | None = None) -> list[PictureFile]:
        """Files in any of `states` (all, if none is named), ordered by label and name."""
        states = states or tuple(State)
        where = f"WHERE f.state IN ({', '.join('?' * len(states))})"
        values: list[str] = list(states)
        if label is not None:
            where += " AND f.label = ?"
            values.append(label)
        rows = self._db.execute(f"{SELECT_FILES} {where} ORDER BY f.label, f.name", values)
        return [file_of(row) for row in rows]

    def file(self, file_id: int) -> PictureFile | None:
        """One file by its id."""
        row = self._db.execute(f"{SELECT_FILES} WHERE f.id = ?", (file_id,)).fetchone()
        return file_of(row) if row else None

    def counts(self, state: State = State.STORED) -> dict[str, int]:
        """Number of files of each label in `state`."""
        rows = self._db.execute(
            "SELECT label, count(*) AS n FROM files WHERE state = ? GROUP BY label ORDER BY label", (state,)
        )
        return {row["label"]: row["n"] for row in rows}

    def reviewed(self) -> int:
        """Number of files of which a person decided what they are now."""
        row = self._db.execute(
            """SELECT count(*) AS n FROM files f JOIN decisions d
            ON d.id = (SELECT max(id) FROM decisions WHERE picture = f.picture AND label = f.label)
            WHERE d.author = ? AND (d.verdict = 'reject') = (f.state IN ('rejected', 'missing'))""",
            (Author.PERSON,),
        ).fetchone()
        return int(row["n"])

    # -- decisions

    def decide(
        self, file: PictureFile, verdict: str, reason: Reason, author: Author, *, after_run: str | None = None
    ) -> int:
        """Write down a decision about a picture under a label, and the state that follows for its file.

        Parameters
        ----------
        after_run : where the picture is of the test part, the newest run that was finished by now.

        Returns
        -------
        The decision's id.
        """
        cursor = self._db.execute(
            """INSERT INTO decisions (picture, label, verdict, reason, author, decided_at, after_run)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (file.picture, file.label, verdict, reason, author, _now(), after_run),
        )
        self.update_file(file.id, state=State.REJECTED if verdict == "reject" else State.STORED)
        return int(cursor.lastrowid or 0)

    def withdraw(self, decisions: Iterable[int]) -> None:
        """Take decisions back, by id: what was decided before counts again. Files keep their state."""
        self._db.executemany("DELETE FROM decisions WHERE id = ?", ((one,) for one in decisions))

    def accepted_by_a_person(self) -> set[tuple[int, str]]:
        """(picture, label) pairs that a person looked at and kept: no automatic check rejects them again."""
        # SQLite: beside max(), the other columns are those of the row that holds it
        rows = self._db.execute(
            "SELECT picture, label, verdict, author, max(id) FROM decisions GROUP BY picture, label"
        )
        return {(r["picture"], r["label"]) for r in rows if r["verdict"] == "accept" and r["author"] == Author.PERSON}

    def decisions_after_runs(self) -> list[DecisionAfterRun]:
        """What was decided about pictures of the test part after some run was finished; the oldest first."""
        rows = self._db.execute(
            """SELECT d.label, d.verdict, d.after_run, f.id AS file,
                (SELECT verdict FROM decisions WHERE picture = d.picture AND label = d.label AND id < d.id
                 ORDER BY id DESC LIMIT 1) IS 'reject' AS was_rejected
            FROM decisions d JOIN files f ON f.picture = d.picture
            JOIN splits s ON s.file = f.id AND s.part = 'test'
            WHERE d.after_run IS NOT NULL ORDER BY d.id"""
        ).fetchall()
        files = {row["file"]: self.file(row["file"]) for row in rows}
        return [
            DecisionAfterRun(file, row["label"], row["verdict"], row["after_run"], bool(row["was_rejected"]))
            for row in rows
            if (file := files[row["file"]]) is not None
        ]

    # -- moves to another label

    def begin_move(self, file_id: int, label: str, name: str, source: str) -> None:
        """Give a file its new label and name. It still lies at `source`, below the project folder, until `end_move`."""
        self.update_file(file_id, label=label, name=name)
        self._db.execute("INSERT OR REPLACE INTO moves (file, source) VALUES (?, ?)", (file_id, source))

    def end_move(self, file_id: int) -> None:
        """The file lies where it belongs."""
        self._db.execute("DELETE FROM moves WHERE file = ?", (file_id,))

    def moves(self) -> list[tuple[int, str]]:
        """(file id, where it may still lie) of the moves that did not end."""
        return [(row["file"], row["source"]) for row in self._db.execute("SELECT file, source FROM moves")]

    # -- attempts and searches

    def remember_attempt(self, label: str, url: str, reason: Reason | None, *, is_passing: bool = False) -> None:
        """Note that `url` was tried for `label`: stored (`reason` None) or refused."""
        self._db.execute(
            "INSERT OR REPLACE INTO attempts (label, url, reason, is_passing, tried_at) VALUES (?, ?, ?, ?, ?)",
            (label, url, reason, is_passing, _now()),
        )

    def settled_urls(self, label: str) -> set[str]:
        """URLs that need no further try for `label`: stored, or refused for a reason that does not pass."""
        rows = self._db.execute(
            "SELECT url FROM attempts WHERE label = ? AND (reason IS NULL OR NOT is_passing)", (label,)
        )
        return {row["url"] for row in rows}

    def remember_search(self, label: str, source: str, query: str, wanted: int) -> None:
        """Note that a search was carried through to `wanted` pictures or to its last result."""
        self._db.execute(
            "INSERT OR REPLACE INTO searches VALUES (?, ?, ?, ?, ?)", (label, source, query, wanted, _now())
        )

    def searched(self, label: str, source: str, query: str) -> int:
        """How many pictures the last finished search like this was asked for; 0 if there was none."""
        row = self._db.execute(
            "SELECT wanted FROM searches WHERE label = ? AND source = ? AND query = ?", (label, source, query)
        ).fetchone()
        return int(row["wanted"]) if row else 0

    # -- splits

    def remember_split(self, parts: Iterable[tuple[int, str]]) -> None:
        """Replace the split: (file id, part) pairs."""
        self._db.execute("DELETE FROM splits")
        self._db.executemany("INSERT INTO splits (file, part) VALUES (?, ?)", parts)

    def add_to_split(self, parts: Iterable[tuple[int, str]]) -> None:
        """Give files a part, as (file id, part) pairs; what others have stays."""
        self._db.executemany("INSERT OR REPLACE INTO splits (file, part) VALUES (?, ?)", parts)

    def split_parts(self) -> dict[int, str]:
        """The part (train, val or test) of each file of the newest split, by file id."""
        return {row["file"]: row["part"] for row in self._db.execute("SELECT file, part FROM splits")}
