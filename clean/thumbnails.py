"""What the review page shows of a picture: decoded and encoded again here, so that strangers' bytes reach no browser.

Thumbnails are made once and kept under ``.birds/cache/thumbnails`` by the SHA-256 of the file they show.
"""

import threading
from contextlib import suppress
from pathlib import Path

from ..files import Project, write_bytes
from ..images import read_plain, scaled_down, sha256
from ..moves import current_path
from ..record import PictureFile

SIDE = 240  # pixels of a thumbnail's longer side
_LARGE_SIDE = 2048  # pixels: more than most screens show
_AT_A_TIME = threading.BoundedSemaphore(2)  # a page asks for dozens at once; one decoded picture may take 150 MB


def thumbnail(project: Project, file: PictureFile) -> bytes:
    """A JPEG of at most `SIDE` by `SIDE` pixels. Raises `ImageError` where the file is gone or is no picture."""
    cached = _cached(project, file.sha256)
    if cached.is_file():
        return cached.read_bytes()
    data = read_plain(current_path(project, file))
    small = _scaled_down(data, SIDE)
    with suppress(OSError):  # a full disk keeps none
        write_bytes(_cached(project, sha256(data)), small)  # not file.sha256: the file may have been edited since
    return small


def large(project: Project, file: PictureFile) -> bytes:
    """A JPEG of the whole picture, scaled down to a screen. Raises `ImageError` like `thumbnail`."""
    return _scaled_down(read_plain(current_path(project, file)), _LARGE_SIDE)


def _cached(project: Project, digest: str) -> Path:
    return project.cache / "thumbnails" / digest[:2] / f"{digest}.jpg"


def _scaled_down(data: bytes, side: int) -> bytes:
    with _AT_A_TIME:
        return scaled_down(data, side)
