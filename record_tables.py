"""The tables of the record, what they were in older versions, and the connection to them.

`record.py` says what each is for. A table changes by a new version here, with the statements that lead to it.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

_SCHEMA_VERSION = 3
# "IF NOT EXISTS": two processes may open a new project at once, and the second waits for the first
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pictures (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    format TEXT, width INTEGER, height INTEGER,  -- NULL until decoded
    phash TEXT, mirror_phash TEXT,               -- 16 hexadecimal digits; NULL until decoded
    unreadable TEXT                              -- the Reason, where it cannot be decoded
);
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    sha256 TEXT NOT NULL,        -- of the file as stored
    picture INTEGER NOT NULL REFERENCES pictures(id),
    mtime_ns INTEGER,            -- as last seen on disk: unchanged ones are not hashed again
    source TEXT NOT NULL, query TEXT, position INTEGER, strategy TEXT,
    image_url TEXT, page_url TEXT, title TEXT, author TEXT, licence TEXT, licence_url TEXT, attribution TEXT,
    observation TEXT,
    added_at TEXT NOT NULL,
    UNIQUE (label, name)
);
CREATE INDEX IF NOT EXISTS files_by_picture ON files(picture);
CREATE TABLE IF NOT EXISTS decisions (
    id INTEGER PRIMARY KEY,
    picture INTEGER NOT NULL REFERENCES pictures(id),
    label TEXT NOT NULL,
    verdict TEXT NOT NULL,       -- reject | accept
    reason TEXT NOT NULL,
    author TEXT NOT NULL,        -- auto | person
    decided_at TEXT NOT NULL,
    after_run TEXT               -- of a test picture: the newest run that was finished by then
);
CREATE INDEX IF NOT EXISTS decisions_by_picture ON decisions(picture, label);
CREATE TABLE IF NOT EXISTS attempts (
    label TEXT NOT NULL, url TEXT NOT NULL,
    reason TEXT,                 -- NULL: it was stored
    is_passing INTEGER NOT NULL, -- another run may fare better
    tried_at TEXT NOT NULL,
    PRIMARY KEY (label, url)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS searches (
    label TEXT NOT NULL, source TEXT NOT NULL, query TEXT NOT NULL,
    wanted INTEGER NOT NULL,
    finished_at TEXT NOT NULL,
    PRIMARY KEY (label, source, query)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS splits (
    file INTEGER PRIMARY KEY REFERENCES files(id),
    part TEXT NOT NULL           -- train | val | test
);
"""
_REVIEW = (
    """CREATE TABLE IF NOT EXISTS looks (
    picture INTEGER PRIMARY KEY REFERENCES pictures(id),
    version INTEGER NOT NULL,    -- of what is measured: looks of another one are measured again
    scores TEXT NOT NULL,        -- JSON: check -> 0 (bad) to 1
    hashes BLOB NOT NULL, gray BLOB NOT NULL  -- see fingerprints.py
)""",
    """CREATE TABLE IF NOT EXISTS findings (
    file INTEGER NOT NULL REFERENCES files(id),
    reason TEXT NOT NULL,
    score REAL NOT NULL,         -- 0 (bad) to 1
    bundle INTEGER,              -- the same for duplicates of each other
    is_best INTEGER NOT NULL,    -- of its bundle the one to keep
    PRIMARY KEY (file, reason)
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS guesses (
    file INTEGER PRIMARY KEY REFERENCES files(id),
    label TEXT NOT NULL,         -- it had then
    predicted TEXT NOT NULL, confidence REAL NOT NULL, label_quality REAL NOT NULL, is_suspected INTEGER NOT NULL
)""",
    """CREATE TABLE IF NOT EXISTS different (
    first INTEGER NOT NULL REFERENCES pictures(id), second INTEGER NOT NULL REFERENCES pictures(id),
    PRIMARY KEY (first, second)
) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS moves (
    file INTEGER PRIMARY KEY REFERENCES files(id),
    source TEXT NOT NULL         -- where it still may lie, below the project folder
)""",
    """CREATE TABLE IF NOT EXISTS actions (
    id INTEGER PRIMARY KEY,
    said TEXT NOT NULL,
    changes TEXT NOT NULL,       -- JSON, see clean/actions.py
    is_undone INTEGER NOT NULL,
    done_at TEXT NOT NULL
)""",
)
_SCHEMA += "".join(f"{statement};\n" for statement in _REVIEW)
_TO_VERSION = {
    2: ("ALTER TABLE files ADD COLUMN licence_url TEXT", "ALTER TABLE files ADD COLUMN attribution TEXT"),
    3: ("ALTER TABLE decisions ADD COLUMN after_run TEXT", *_REVIEW),
}


class OtherVersionError(Exception):
    """The record's tables are those of another version of birds."""


def connect(path: Path) -> sqlite3.Connection:
    """The database at `path`, its tables made or brought up to date.

    Raises
    ------
    OtherVersionError, OSError, sqlite3.Error
    """
    db = sqlite3.connect(path, timeout=30, isolation_level=None)  # transactions are ours: see Record.transaction
    try:
        db.row_factory = sqlite3.Row
        with suppress(sqlite3.OperationalError):  # another process is opening it just now, and does the same
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;")
            version = _SCHEMA_VERSION
        if version < _SCHEMA_VERSION:
            version = _upgrade(db)
        if version != _SCHEMA_VERSION:
            raise OtherVersionError(f"has version {version}, this birds reads version {_SCHEMA_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _upgrade(db: sqlite3.Connection) -> int:
    """Bring the tables of an older birds up to date, all or nothing; returns the version they are at."""
    db.execute("BEGIN IMMEDIATE")
    try:
        version: int = db.execute("PRAGMA user_version").fetchone()[0]  # perhaps another process was first
        while version < _SCHEMA_VERSION:
            version += 1
            for statement in _TO_VERSION[version]:
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
    return version
