"""The files of the record as values: what a row of the record says of one file, its picture and the newest decision."""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from .images import Content
from .reasons import Reason


class State(StrEnum):
    """Where a file is."""

    PENDING = "pending"  # named in the record, perhaps not yet on disk
    STORED = "stored"  # in images/
    REJECTED = "rejected"  # in .birds/rejected/
    MISSING = "missing"  # removed from images/ by hand


class Author(StrEnum):
    """Who decided."""

    AUTO = "auto"
    PERSON = "person"


IMPORTED = "import:"  # begins the source of pictures that came with a dataset, whose makers chose them


@dataclass(frozen=True, slots=True)  # there may be 100,000 of it
class Provenance:
    """Where a picture came from. ``source`` is ``local`` for files a person put there."""

    source: str
    query: str | None = None
    position: int | None = None
    strategy: str | None = None
    image_url: str | None = None
    page_url: str | None = None
    title: str | None = None
    author: str | None = None
    licence: str | None = None
    licence_url: str | None = None
    attribution: str | None = None
    observation: str | None = None

    @property
    def is_imported(self) -> bool:
        """Whether it came with a dataset: small pictures of those are meant to be small."""
        return self.source.startswith(IMPORTED)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """One file of the record, with what is known of its content."""

    id: int
    label: str
    name: str
    state: State
    sha256: str
    picture: int
    mtime_ns: int | None
    added_at: str
    provenance: Provenance
    content: Content
    reason: Reason | None  # of the newest decision, where that is a rejection
    author: Author | None  # of the newest decision, where it led to the state


@dataclass(frozen=True)
class DecisionAfterRun:
    """What was decided about a test picture under `label` when `after_run` was finished; `file` as it is now.

    ``was_rejected``: it had been rejected before, so it was not in the test set.
    """

    file: PictureFile
    label: str
    verdict: str
    after_run: str
    was_rejected: bool


PROVENANCE = (
    "source",
    "query",
    "position",
    "strategy",
    "image_url",
    "page_url",
    "title",
    "author",
    "licence",
    "licence_url",
    "attribution",
    "observation",
)
SELECT_FILES = f"""
SELECT f.id, f.label, f.name, f.state, f.sha256, f.picture, f.mtime_ns, f.added_at,
       {", ".join(f"f.{c}" for c in PROVENANCE)},
       p.sha256 AS original, p.bytes, p.format, p.width, p.height, p.phash, p.mirror_phash, p.unreadable,
       d.verdict, d.reason, d.author AS decider
FROM files f JOIN pictures p ON p.id = f.picture
LEFT JOIN decisions d ON d.id = (SELECT max(id) FROM decisions WHERE picture = f.picture AND label = f.label)
"""  # noqa: S608 - column names, all constants of this module


def _int(value: str | None) -> int | None:
    return None if value is None else int(value, 16)


def _is_of_this_file(row: sqlite3.Row) -> bool:
    """Whether the newest decision led to its state: of a copy, or of one that was brought back by hand, it did not."""
    return bool((row["verdict"] == "reject") == (row["state"] in (State.REJECTED, State.MISSING)))


def file_of(row: sqlite3.Row) -> PictureFile:
    """The file in a row of `SELECT_FILES`."""
    return PictureFile(
        id=row["id"],
        label=row["label"],
        name=row["name"],
        state=State(row["state"]),
        sha256=row["sha256"],
        picture=row["picture"],
        mtime_ns=row["mtime_ns"],
        added_at=row["added_at"],
        provenance=Provenance(**{column: row[column] for column in PROVENANCE}),
        content=Content(
            sha256=row["original"],
            bytes=row["bytes"],
            format=row["format"],
            width=row["width"],
            height=row["height"],
            phash=_int(row["phash"]),
            mirror_phash=_int(row["mirror_phash"]),
            unreadable=Reason(row["unreadable"]) if row["unreadable"] else None,
        ),
        reason=Reason(row["reason"]) if row["verdict"] == "reject" and row["state"] != State.STORED else None,
        author=Author(row["decider"]) if row["decider"] and _is_of_this_file(row) else None,
    )
