"""The table ``looks`` of the record: what one decode found of each picture, its scores and its fingerprint.

Kept apart from the pictures so that lists of files stay light: a fingerprint holds a kilobyte.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from math import isqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from .looks import Looks

VERSION = 1  # of what is measured; raised, all pictures are looked at again
_AT_A_TIME = 500  # SQLite of 2019 takes 999 values a statement


class LooksTable:
    """Reads and writes ``looks``. Made by `Record`, whose connection it shares."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def remember(self, looks: "Iterable[tuple[int, Looks]]") -> None:
        """Store or replace the looks of pictures, given as (picture id, looks)."""
        self._db.executemany(
            "INSERT OR REPLACE INTO looks (picture, version, scores, hashes, gray) VALUES (?, ?, ?, ?, ?)",
            (
                (picture, VERSION, json.dumps(one.scores), one.fingerprint.hashes, one.fingerprint.gray)
                for picture, one in looks
            ),
        )

    def known(self) -> set[int]:
        """Ids of the pictures that were looked at by this version."""
        return {row["picture"] for row in self._db.execute("SELECT picture FROM looks WHERE version = ?", (VERSION,))}

    def scores(self) -> dict[int, dict[str, float]]:
        """Picture id -> score of each check, 0 (bad) to 1."""
        rows = self._db.execute("SELECT picture, scores FROM looks WHERE version = ?", (VERSION,))
        return {row["picture"]: json.loads(row["scores"]) for row in rows}

    def hashes(self) -> "tuple[np.ndarray, np.ndarray]":
        """Picture ids, int64 [n], and their perceptual hashes, uint64 [n, hashes a picture]; see `fingerprints`."""
        import numpy as np

        rows = self._db.execute("SELECT picture, hashes FROM looks WHERE version = ? ORDER BY picture", (VERSION,))
        pairs = [(row["picture"], row["hashes"]) for row in rows]
        ids = np.array([picture for picture, _ in pairs], dtype=np.int64)
        hashes = np.frombuffer(b"".join(blob for _, blob in pairs), dtype="<u8")
        return ids, hashes.reshape(len(pairs), -1) if pairs else hashes.reshape(0, 1)

    def grays(self, pictures: Sequence[int]) -> "np.ndarray":
        """The small grey copies of `pictures`, uint8 [k, side, side], in the order asked for.

        Raises
        ------
        KeyError : a picture was not looked at.
        """
        import numpy as np

        wanted = sorted({int(picture) for picture in pictures})
        found: dict[int, bytes] = {}
        for start in range(0, len(wanted), _AT_A_TIME):
            some = wanted[start : start + _AT_A_TIME]
            marks = ", ".join("?" * len(some))
            rows = self._db.execute(f"SELECT picture, gray FROM looks WHERE picture IN ({marks})", some)  # noqa: S608 - marks
            found |= {row["picture"]: row["gray"] for row in rows}
        blobs = [found[int(picture)] for picture in pictures]
        side = isqrt(len(blobs[0])) if blobs else 1
        return np.frombuffer(b"".join(blobs), dtype=np.uint8).reshape(-1, side, side)
