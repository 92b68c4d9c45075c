"""Feature vectors on disk, some hundred pictures a file: written once, atomically, then only mapped into memory.

A file is an ordinary ``.npy`` of one record: the SHA-256 digests, [rows], then the vectors, [rows, d]. Digests stand
together, so that looking for pictures reads some kilobytes of a file and not all of it.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .. import files, images
from ..errors import ProjectError

DIGEST = np.dtype("S32")  # zeros at the end count for nothing, which tells no two digests of 32 bytes apart wrongly


@dataclass(frozen=True)
class Shard:
    """One file: `digests` [rows] of `DIGEST`, read already; vectors of `length` values, mapped when asked for."""

    path: Path
    digests: NDArray[np.bytes_]
    length: int
    _start: int  # of the vectors, in bytes

    def vectors(self) -> NDArray[np.float32]:
        """float32 [rows, length], backed by the file: it takes no memory that cannot be had back.

        torch maps it, because numpy would hold a file descriptor open for every file.
        """
        mapped = torch.from_file(str(self.path), shared=False, size=self.path.stat().st_size, dtype=torch.uint8)
        vectors: NDArray[np.float32] = np.ndarray(
            (len(self.digests), self.length), np.float32, mapped.numpy(), self._start
        )
        vectors.flags.writeable = False
        return vectors


def read_shards(folder: Path) -> Iterator[Shard]:
    """Every file of `folder` that is whole. What cannot be read there is as good as missing."""
    for path in sorted(folder.glob("*.npy")):
        if shard := _read_shard(path):
            yield shard


def _read_shard(path: Path) -> Shard | None:
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            _, _, record = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
            rows, length = record["features"].shape
            if record != _record(rows, length) or path.stat().st_size != start + record.itemsize:
                return None
            digests = np.frombuffer(file.read(rows * DIGEST.itemsize), DIGEST)
    except (OSError, ValueError, KeyError, TypeError):  # what a damaged header leads to
        return None
    return Shard(path, digests, length, start + digests.nbytes)


def write_shard(folder: Path, digests: NDArray[np.bytes_], vectors: NDArray[np.float32]) -> Shard:
    """Add a file to the cache. It is named after its content: two processes that compute the same share it.

    Raises
    ------
    ProjectError : it cannot be written.
    """
    record = np.zeros(1, _record(*vectors.shape))
    record["sha256"], record["features"] = digests, vectors
    buffer = io.BytesIO()
    np.save(buffer, record)
    path = folder / f"{images.sha256(digests.tobytes())[:16]}.npy"
    try:
        files.write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise ProjectError(
            f"The features cannot be kept in {folder}: {error.strerror}.", "Make room there, or make it writable."
        ) from error
    return Shard(path, digests, vectors.shape[1], len(buffer.getvalue()) - vectors.nbytes)


def _record(rows: int, length: int) -> np.dtype[np.void]:
    return np.dtype([("sha256", DIGEST, (rows,)), ("features", "<f4", (rows, length))])
